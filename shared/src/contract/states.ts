/**
 * The states that users see. What may follow what is in the daemon's `core`; this is the vocabulary, and for steps the
 * one table that says which states are ends, which may be retried and what a CLI exits with.
 */

/** Exit codes of every Fairlead command. */
export const EXIT = {
  ok: 0,
  usage: 1,
  failed: 2,
  timeout: 3,
  attention: 4,
  infrastructure: 5,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

interface StepStateFacts {
  /** Nothing follows by itself. */
  readonly end: boolean;
  /** Who may queue the step again: anyone who may write steps, only the local operator, or nobody. */
  readonly retry: 'anyone' | 'local' | 'no';
  readonly exit: ExitCode;
  readonly meaning: string;
}

/** A wait that ends in such a state has ended because its time was over, unless something else must happen first. */
const going = (meaning: string, exit: ExitCode = EXIT.timeout): StepStateFacts => ({ end: false, retry: 'no', exit, meaning });

export const STEP_STATES = {
  queued: going('waits for its turn'),
  preparing: going('its base, policy and workspace are being made ready'),
  running: going('its executor works'),
  collecting: going('the daemon takes the snapshot and the diff'),
  validating: going('the declared checks run on the change'),
  completed: {
    end: true,
    retry: 'no',
    exit: EXIT.ok,
    meaning: 'the fence held, every required validation passed, and a change gate, if any, was approved',
  },
  completed_with_warnings: {
    end: true,
    retry: 'no',
    exit: EXIT.ok,
    meaning: 'completed, with the warnings that the step names',
  },
  needs_approval: going('finished work is held by a gate until a person decides', EXIT.attention),
  waiting_quota: going('the agent has reached a limit that resets at a known time; the step resumes by itself', EXIT.attention),
  rejected: { end: true, retry: 'no', exit: EXIT.attention, meaning: 'a person rejected the change' },
  cancelled: { end: true, retry: 'no', exit: EXIT.attention, meaning: 'cancelled on request, and confirmed stopped' },
  failed_validation: { end: true, retry: 'anyone', exit: EXIT.failed, meaning: 'a required validation failed' },
  failed_fence: { end: true, retry: 'anyone', exit: EXIT.failed, meaning: 'the change touches what it may not touch' },
  failed_executor: { end: true, retry: 'anyone', exit: EXIT.infrastructure, meaning: 'the executor failed' },
  failed_preparation: {
    end: true,
    retry: 'anyone',
    exit: EXIT.infrastructure,
    meaning: 'workspace, provisioning, policy or sandbox could not be made ready',
  },
  timeout: { end: true, retry: 'anyone', exit: EXIT.timeout, meaning: 'the time limit passed, and everything stopped' },
  indeterminate: {
    end: true,
    retry: 'local',
    exit: EXIT.attention,
    meaning: 'an effect may or may not have happened',
  },
  needs_manual_attention: {
    end: true,
    retry: 'local',
    exit: EXIT.attention,
    meaning: 'what happened is known, but the daemon cannot go on by itself',
  },
} as const satisfies Record<string, StepStateFacts>;
export type StepState = keyof typeof STEP_STATES;

const names = <T extends Record<string, unknown>>(table: T) => Object.keys(table) as [keyof T & string, ...(keyof T & string)[]];
export const STEP_STATE_NAMES = names(STEP_STATES);

export const RUN_STATES = ['open', 'closed', 'cancelled'] as const;
export type RunState = (typeof RUN_STATES)[number];

/** Derived from a run's steps, never stored. */
export const RUN_PROGRESS = ['empty', 'running', 'needs_approval', 'failed', 'done'] as const;
export type RunProgress = (typeof RUN_PROGRESS)[number];

export const ATTEMPT_STATES = ['active', 'finished', 'refused', 'timed_out', 'cancelled', 'crashed', 'quota', 'lost'] as const;
export type AttemptState = (typeof ATTEMPT_STATES)[number];

/** What an executor may answer. It never names a step state. */
export const OUTCOMES = ['finished', 'refused', 'timed_out', 'cancelled', 'crashed', 'quota'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export const CHANGE_STATES = ['held', 'integrating', 'integrated', 'conflict', 'failed_validation', 'discarded'] as const;
export type ChangeState = (typeof CHANGE_STATES)[number];

/** `change`: finished work is held before it lands. `permission`: an agent at work asks for something that no rule settles. */
export const GATE_KINDS = ['change', 'permission'] as const;
export type GateKind = (typeof GATE_KINDS)[number];

/**
 * What an agent's profile says to requests that no rule settles: `ask` a person; `auto`: go on with what stays in the workspace and is
 * ordinary work, ask otherwise; `read_only`: nothing but reading.
 */
export const APPROVAL_MODES = ['ask', 'auto', 'read_only'] as const;
export type ApprovalMode = (typeof APPROVAL_MODES)[number];

/** `used`: an approved permission was given to the one call that asked for it. */
export const GATE_STATES = ['pending', 'approved', 'rejected', 'outdated', 'expired', 'used'] as const;
export type GateState = (typeof GATE_STATES)[number];

/** How it is known who asked. `relay_asserted` means: the relay says so, and nothing else proves it. */
export const AUTHORITIES = ['local', 'relay_asserted'] as const;
export type Authority = (typeof AUTHORITIES)[number];

/** What kept the work apart from the machine. Every record and screen shows it. */
export const CONFINEMENTS = ['bubblewrap', 'unshare', 'unconfined', 'not_needed'] as const;
export type Confinement = (typeof CONFINEMENTS)[number];
