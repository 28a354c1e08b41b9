import * as z from 'zod';
import { ERROR_CODES } from './error-table.ts';
import { ArtifactId, AttemptId, ChangeId, GateId, GrantId, InstanceId, RunId, StepId, ValidationId } from './ids.ts';
import { ATTEMPT_STATES, AUTHORITIES, CHANGE_STATES, CONFINEMENTS, RUN_PROGRESS, RUN_STATES, STEP_STATE_NAMES } from './states.ts';
import { Gate } from './gates.ts';
import { ExecutorInfo } from './executors.ts';
import { Commit, Digest, Principal, Time } from './values.ts';
import { Usage } from './activity.ts';

/**
 * What operations answer. Answers are read tolerantly by older and newer parts, so these are loose objects on the way in;
 * the daemon builds them from rows. Times are RFC 3339 in UTC; text that came from a planner or an agent is untrusted.
 */

/** Opaque: an instance's position in the ledger that gave it. Both wait_step and event streams resume from it. */
export const Cursor = z.string().regex(/^c[0-9a-z]{8}\.[0-9a-z]{1,11}$/, { error: 'must be a cursor that Fairlead gave' });

const Asked = { submitted_by: Principal, authority: z.enum(AUTHORITIES) };

export const Run = z.object({
  id: RunId,
  instance_id: InstanceId,
  title: z.string(),
  target: z.string().describe('The branch this run is for, such as refs/heads/main'),
  state: z.enum(RUN_STATES),
  progress: z.enum(RUN_PROGRESS),
  steps: z.number().int(),
  ...Asked,
  created_at: Time,
  ended_at: Time.nullable(),
});
export type Run = z.infer<typeof Run>;

export const Reason = z.object({ code: z.string(), message: z.string() }).describe('Why, with a code and a sentence');

export const Step = z.object({
  id: StepId,
  run_id: RunId,
  instance_id: InstanceId,
  number: z.number().int().describe('1 for the first step of its run'),
  title: z.string(),
  state: z.enum(STEP_STATE_NAMES),
  ended: z.boolean(),
  reason: Reason.nullable(),
  warnings: z.array(z.string()),
  executor: z.object({ requested: z.string(), used: z.string().nullable() }),
  simulated: z.boolean(),
  confinement: z.enum(CONFINEMENTS).nullable().describe('null until it is known'),
  position: z.number().int().nullable().describe('Place in the queue, 1 is next; null when it does not wait'),
  base: z.string().describe('As the task named it'),
  base_commit: Commit.nullable(),
  attempts: z.number().int(),
  attempt_id: AttemptId.nullable().describe('The latest'),
  change_id: ChangeId.nullable(),
  gate_id: GateId.nullable().describe('The gate that holds it, or the last that did'),
  stop_requested_at: Time.nullable(),
  ...Asked,
  created_at: Time,
  updated_at: Time,
  ended_at: Time.nullable(),
});
export type Step = z.infer<typeof Step>;

export const Attempt = z.object({
  id: AttemptId,
  step_id: StepId,
  number: z.number().int(),
  state: z.enum(ATTEMPT_STATES),
  executor: z.string(),
  simulated: z.boolean(),
  confinement: z.enum(CONFINEMENTS).nullable(),
  base_commit: Commit.nullable(),
  policy_digest: Digest.nullable(),
  policy_commit: Commit.nullable(),
  reason: Reason.nullable(),
  exit_code: z.number().int().nullable(),
  signal: z.string().nullable(),
  usage: Usage.nullable().describe('As the agent reports it; null where it reports nothing'),
  resumable: z.boolean().describe("Whether retry_step may resume the agent's own session of it"),
  resumed_from: AttemptId.nullable().describe('The attempt whose session this one resumed'),
  started_at: Time,
  ended_at: Time.nullable(),
});
export type Attempt = z.infer<typeof Attempt>;

export const ChangedFile = z.object({
  path: z.string().describe('Untrusted text. Names that are not UTF-8 are shown with \\xNN'),
  status: z.enum(['added', 'modified', 'deleted', 'type_changed']),
  added: z.number().int().nullable().describe('Lines; null for binary files'),
  removed: z.number().int().nullable(),
  old_mode: z.string(),
  new_mode: z.string(),
});
export type ChangedFile = z.infer<typeof ChangedFile>;

export const FenceFinding = z.object({
  rule: z.string().describe('Which rule, such as outside_allowed, forbidden, protected, dot_git, link_escapes, submodule, size_hard'),
  severity: z.enum(['failed', 'gate']),
  path: z.string().nullable(),
  message: z.string(),
});
export type FenceFinding = z.infer<typeof FenceFinding>;

export const Integrated = z.object({ ref: z.string(), from: Commit, to: Commit, at: Time });
export type Integrated = z.infer<typeof Integrated>;

export const Change = z.object({
  id: ChangeId,
  step_id: StepId,
  attempt_id: AttemptId,
  state: z.enum(CHANGE_STATES),
  base_commit: Commit,
  snapshot_commit: Commit.describe('One commit on the base, made by the daemon'),
  tree: Commit,
  digest: Digest.describe('Of the raw difference; what a gate is bound to'),
  files: z.array(ChangedFile),
  added: z.number().int(),
  removed: z.number().int(),
  findings: z.array(FenceFinding),
  patch_artifact_id: ArtifactId,
  integrated: Integrated.nullable(),
  reason: Reason.nullable(),
  created_at: Time,
});
export type Change = z.infer<typeof Change>;

export const Validation = z.object({
  id: ValidationId,
  step_id: StepId,
  attempt_id: AttemptId,
  name: z.string(),
  phase: z
    .enum(['change', 'judges_restored', 'integration'])
    .describe("What was checked: the change, the change judged by the base's own checks, or the tree that would land"),
  required: z.boolean(),
  passed: z.boolean(),
  argv: z.array(z.string()),
  exit_code: z.number().int().nullable(),
  signal: z.string().nullable(),
  timed_out: z.boolean(),
  duration_ms: z.number().int(),
  confinement: z.enum(CONFINEMENTS),
  output_artifact_id: ArtifactId.nullable(),
  output_tail: z.string().describe('Untrusted text: the end of the output, redacted'),
  started_at: Time,
});
export type Validation = z.infer<typeof Validation>;

export const ARTIFACT_KINDS = [
  'task_original',
  'task',
  'patch',
  'numstat',
  'names',
  'agent_commits',
  'output',
  'activity',
  'prompt',
  'validation_output',
  'out_file',
] as const;

export const Artifact = z.object({
  id: ArtifactId,
  step_id: StepId,
  attempt_id: AttemptId.nullable(),
  kind: z.enum(ARTIFACT_KINDS),
  name: z.string().describe('Untrusted text'),
  media_type: z.string(),
  size: z.number().int(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  redactions: z
    .record(z.string(), z.number().int())
    .describe('How many secret values were masked before it was stored, by kind; empty where there was none'),
  created_at: Time,
});
export type Artifact = z.infer<typeof Artifact>;

export const EVENT_TYPES = [
  'instance.added',
  'instance.removed',
  'instance.shared',
  'instance.unshared',
  'run.started',
  'run.closed',
  'run.cancelled',
  'step.queued',
  'step.prepared',
  'step.started',
  'step.executed',
  'step.collected',
  'step.stop_requested',
  'step.ended',
  'step.held',
  'step.approved',
  'step.requeued',
  'attempt.started',
  'attempt.ended',
  'change.recorded',
  'change.integrating',
  'change.integrated',
  'change.returned',
  'change.conflicted',
  'change.failed_validation',
  'change.discarded',
  'validation.recorded',
  'artifact.recorded',
  'gate.opened',
  'gate.approved',
  'gate.rejected',
  'gate.outdated',
  'gate.expired',
  'gate.used',
  'permission.denied',
  'daemon.halted',
  'daemon.resumed',
  'request.refused',
  'history.rollback_accepted',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

export const Event = z.object({
  cursor: Cursor,
  instance_seq: z.number().int(),
  run_seq: z.number().int().nullable(),
  instance_id: InstanceId,
  run_id: RunId.nullable(),
  step_id: StepId.nullable(),
  type: z.enum(EVENT_TYPES),
  at: Time,
  principal: Principal,
  authority: z.enum(AUTHORITIES),
  data: z.record(z.string(), z.unknown()),
  prev_hash: Digest.describe('Hash of the event before it in its run, or of the one before it that belongs to no run either'),
  instance_prev_hash: Digest.describe('Hash of the event before it in the instance, whatever its run'),
  hash: Digest.describe('SHA-256 over prev_hash, instance_prev_hash and the canonical JSON of the event, with a line feed between them'),
});
export type Event = z.infer<typeof Event>;

export const Budget = z.object({
  steps: z.number().int().nonnegative().nullable().describe('Steps that may be submitted or retried; null is no limit'),
  wall_ms: z.number().int().nonnegative().nullable().describe('Sum of the time limits of those steps; null is no limit'),
});
export type Budget = z.infer<typeof Budget>;

export const Grant = z.object({
  id: GrantId,
  instance_id: InstanceId,
  connector_key: z.string(),
  relay_key: z.string(),
  operations: z.array(z.string()),
  executors: z.array(z.string()).nullable().describe('null is every executor'),
  validations: z.array(z.string()).nullable().describe('Optional validations that may be named; null is every one'),
  budget: Budget,
  spent: z.object({ steps: z.number().int(), wall_ms: z.number().int() }),
  accept_relay_decisions: z.boolean(),
  created_at: Time,
  expires_at: Time,
  revoked_at: Time.nullable(),
  digest: Digest.describe('Of everything in the grant but what is spent and revoked_at'),
});
export type Grant = z.infer<typeof Grant>;

export const PolicyView = z.object({
  source: z.enum(['policy_ref', 'daemon_config', 'none']),
  ref: z.string().nullable(),
  commit: Commit.nullable(),
  digest: Digest,
  problem: z.string().nullable().describe('Why the policy is invalid, when it is; tasks are refused until it is corrected'),
  validations: z.array(z.object({ name: z.string(), required: z.boolean(), argv: z.array(z.string()) })),
  fence: z.object({
    allowed: z.array(z.string()),
    forbidden: z.array(z.string()),
    protected: z.array(z.string()),
    files: z.number().int(),
    lines: z.number().int(),
  }),
  gates: z.object({ when: z.array(z.string()), self_approval: z.boolean(), integrate_on_approval: z.boolean() }),
});
export type PolicyView = z.infer<typeof PolicyView>;

/** One row of list_instances. At a relay it comes from the connector's descriptor, so that it answers while the machine is away. */
export const InstanceSummary = z.object({
  id: InstanceId,
  label: z.string(),
  machine: z.string().describe('The label of the machine, chosen by its owner'),
  default_branch: z.string(),
  executors: z.array(z.string()),
  online: z.boolean(),
  last_seen_at: Time.nullable(),
  path: z.string().optional().describe('Where the repository lies: told to the operator on the machine itself, never through a connector'),
});
export type InstanceSummary = z.infer<typeof InstanceSummary>;

/** All that a planner needs to begin. */
export const Instance = z.object({
  id: InstanceId,
  label: z.string(),
  machine: z.string(),
  default_branch: z.string(),
  target: z.string(),
  target_commit: Commit.nullable(),
  listed_branches: z.array(z.string()),
  default_executor: z.string(),
  executors: z.array(ExecutorInfo),
  policy: PolicyView,
  confinement: z.enum(CONFINEMENTS),
  you: z.object({
    principal: Principal,
    authority: z.enum(AUTHORITIES),
    operations: z.array(z.string()).describe('What this caller may ask of this instance'),
    grant_expires_at: Time.nullable(),
    budget_left: Budget.nullable(),
  }),
  halted: z.boolean(),
  cursor: Cursor,
});
export type Instance = z.infer<typeof Instance>;

export const StepResult = z.object({
  step: Step,
  attempt: Attempt.nullable(),
  change: Change.nullable(),
  validations: z.array(Validation),
  gate: Gate.nullable(),
  artifacts: z.array(Artifact),
  sentence: z.string().describe('What happened and what may be done next, in plain words'),
});
export type StepResult = z.infer<typeof StepResult>;

export const ErrorCodeName = z.enum(ERROR_CODES);

/** A page of a list. */
export const page = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next_page: z.string().nullable().describe('Give it as page to read on; null at the end') });
