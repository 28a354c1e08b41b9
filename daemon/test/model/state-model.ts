import {
  OUTCOMES,
  STEP_STATES,
  type AttemptState,
  type ChangeState,
  type GateState,
  type RunState,
  type StepState,
} from '@fairlead/shared/contract/states';
import { attempt, type AttemptEvent } from '../../src/core/attempt.ts';
import { change, type ChangeEvent } from '../../src/core/change.ts';
import { gate, type GateEvent } from '../../src/core/gate.ts';
import type { Machine } from '../../src/core/machine.ts';
import { run, type RunEvent } from '../../src/core/run.ts';
import { step, type StepEvent } from '../../src/core/step.ts';

/** The tables of core. A mutation check gives others. */
export interface Machines {
  readonly run: Machine<RunState, RunEvent>;
  readonly step: Machine<StepState, StepEvent>;
  readonly attempt: Machine<AttemptState, AttemptEvent>;
  readonly change: Machine<ChangeState, ChangeEvent>;
  readonly gate: Machine<GateState, GateEvent>;
}
export const CORE: Machines = { run, step, attempt, change, gate };

/** One step with all that belongs to it. What its earlier attempts left is settled and no longer looked at. */
export interface Whole {
  readonly run: RunState;
  readonly step: StepState;
  /** A stop was asked for. */
  readonly stop: boolean;
  readonly attempt: AttemptState | 'none';
  readonly change: ChangeState | 'none';
  /** The gate on the change. */
  readonly gate: GateState | 'none';
  /** One request of the agent at work: a gate of kind permission. */
  readonly request: GateState | 'none';
}

/** One line of history, as far as it moves a record: whose, and what happened to it. */
export type Letter =
  | `run:${RunEvent}`
  | `step:${StepEvent | 'stop'}`
  | `attempt:${AttemptEvent | 'started'}`
  | `change:${ChangeEvent | 'recorded'}`
  | `gate:${GateEvent | 'opened'}`
  | `request:${GateEvent | 'opened'}`;

/** What is done together in one transaction, who does it, and when the code comes to it. The tables of core say whether it then may. */
export interface Coupling {
  readonly name: string;
  /** `daemon`: nobody asked, so that it must never be refused. `person`: somebody asks, and may be told no. */
  readonly by: 'daemon' | 'person';
  readonly when: (now: Whole) => boolean;
  /** All ways in which it can be recorded from here. */
  readonly words: (now: Whole) => readonly (readonly Letter[])[];
}

const FRESH: Whole = { run: 'open', step: 'queued', stop: false, attempt: 'none', change: 'none', gate: 'none', request: 'none' };
/** A step as `submit_task` leaves it. */
export const START = FRESH;

const ended = ({ step: state }: Whole): boolean => STEP_STATES[state].end;
const IN_FLIGHT: ReadonlySet<StepState> = new Set(['preparing', 'running', 'collecting', 'validating']);
const inFlight = ({ step: state }: Whole): boolean => IN_FLIGHT.has(state);
const completed = ({ step: state }: Whole): boolean => state === 'completed' || state === 'completed_with_warnings';
const settleable = ({ change: state }: Whole): boolean => state === 'held' || state === 'conflict' || state === 'failed_validation';
const only = (holds: boolean, ...letters: Letter[]): Letter[] => (holds ? letters : []);
/** Where work stands that nobody decided about: a gate that waits, a change that could land. `ledger/put-away`. */
const putAway = (now: Whole): Letter[] => [...only(now.gate === 'pending', 'gate:outdated'), ...only(settleable(now), 'change:discarded')];
/** The last move of a step: its open requests go with it. */
const end = (now: Whole, event: StepEvent): Letter[] => [...only(now.request === 'pending', 'request:outdated'), `step:${event}`];
const lost = (now: Whole): Letter[] => only(now.attempt === 'active', 'attempt:lost');
/** `commands/stopping`: at once where nothing runs; else it is asked for. */
const stopped = (now: Whole): Letter[] => {
  if (ended(now)) return [];
  if (inFlight(now)) return only(!now.stop, 'step:stop');
  return [...(now.step === 'needs_approval' ? putAway(now) : []), ...end(now, 'cancelled')];
};

/** What the verdict may say of an attempt, by what it came to. A stop goes before everything but what was not confirmed. */
const verdicts = (now: Whole): Letter[][] => {
  const stuck = end(now, 'stuck');
  if (now.stop) return [stuck, end(now, 'cancelled')];
  const always = [stuck, end(now, 'timed_out'), end(now, 'executor_failed')];
  if (now.attempt === 'quota') return [...always, ['step:quota_reached'], ['step:requeued']];
  if (now.attempt !== 'finished') return always;
  const whole =
    now.step === 'validating' ? [end(now, 'validation_failed'), end(now, 'completed'), end(now, 'completed_with_warnings')] : [];
  return [...always, ...whole, ...(now.change === 'held' ? [end(now, 'fence_broken'), ['gate:opened', 'step:held'] as Letter[]] : [])];
};

const decide = (now: Whole, event: 'rejected' | 'expired'): Letter[] => [
  `gate:${event}`,
  ...only(settleable(now), 'change:discarded'),
  ...(now.step === 'needs_approval' ? end(now, 'rejected') : []),
];

/** The coupling of the records: which moves are made together, by which part of the daemon. A history of a daemon is a path through it. */
export const COUPLINGS: readonly Coupling[] = [
  // commands/*
  { name: 'close_run', by: 'person', when: () => true, words: () => [['run:closed']] },
  { name: 'cancel_run', by: 'person', when: () => true, words: (now) => [['run:cancelled', ...stopped(now)]] },
  { name: 'cancel_step', by: 'person', when: (now) => !ended(now), words: (now) => [stopped(now)] },
  {
    name: 'retry_step',
    by: 'person',
    when: (now) => now.run === 'open' && STEP_STATES[now.step].retry !== 'no',
    words: (now) => [[...putAway(now), 'step:retried']],
  },
  {
    name: 'approve_gate',
    by: 'person',
    when: (now) => now.gate === 'pending',
    words: (now) =>
      now.step === 'needs_approval'
        ? (['approved', 'approved_with_warnings'] as const).map((event) => ['gate:approved', ...end(now, event)])
        : [['gate:approved']],
  },
  { name: 'reject_gate', by: 'person', when: (now) => now.gate === 'pending', words: (now) => [decide(now, 'rejected')] },
  {
    name: 'decide_request',
    by: 'person',
    when: (now) => now.request === 'pending',
    words: () => [['request:approved'], ['request:rejected']],
  },
  // scheduler/timers
  { name: 'gate_expires', by: 'daemon', when: (now) => now.gate === 'pending', words: (now) => [decide(now, 'expired')] },
  { name: 'request_expires', by: 'daemon', when: (now) => now.request === 'pending', words: () => [['request:expired']] },
  { name: 'quota_resets', by: 'daemon', when: (now) => now.step === 'waiting_quota', words: () => [['step:resumed']] },
  // runner/*
  {
    name: 'begin_attempt',
    by: 'daemon',
    when: (now) => now.step === 'queued',
    words: (now) => [[...putAway(now), 'step:prepared', 'attempt:started']],
  },
  { name: 'prepare', by: 'daemon', when: (now) => now.step === 'preparing', words: () => [['step:started']] },
  {
    name: 'end_preparation',
    by: 'daemon',
    when: (now) => now.step === 'preparing',
    words: (now) => [
      ['attempt:lost', ...end(now, 'preparation_failed')],
      ['attempt:timed_out', ...end(now, 'timed_out')],
      ...(now.stop ? [['attempt:cancelled', ...end(now, 'cancelled')] as Letter[]] : []),
    ],
  },
  {
    name: 'execute',
    by: 'daemon',
    when: (now) => now.step === 'running' && now.attempt === 'active',
    words: () =>
      OUTCOMES.flatMap((outcome): Letter[][] => [
        [`attempt:${outcome}`, 'step:executed'],
        ...(outcome === 'finished' ? [] : [[`attempt:${outcome}`] as Letter[]]),
      ]),
  },
  {
    name: 'collect',
    by: 'daemon',
    when: (now) => now.step === 'collecting',
    words: () => [['step:collected'], ['change:recorded', 'step:collected']],
  },
  {
    name: 'conclude',
    by: 'daemon',
    when: (now) => now.step === 'validating' || (now.step === 'running' && now.attempt !== 'active'),
    words: verdicts,
  },
  { name: 'checkout_failed', by: 'daemon', when: (now) => now.step === 'validating', words: (now) => [end(now, 'preparation_failed')] },
  {
    name: 'end_step',
    by: 'daemon',
    when: (now) => now.step === 'queued' || inFlight(now),
    words: (now) =>
      now.step === 'queued'
        ? [end(now, 'preparation_failed')]
        : [[...lost(now), ...end(now, 'stuck')], ...(now.stop ? [[...lost(now), ...end(now, 'cancelled')]] : [])],
  },
  {
    name: 'request',
    by: 'daemon',
    when: (now) => now.step === 'running' && now.attempt === 'active' && now.request !== 'pending' && now.request !== 'approved',
    words: () => [['request:opened']],
  },
  {
    name: 'close_desk',
    by: 'daemon',
    when: (now) => now.step === 'running' && now.request === 'pending',
    words: () => [['request:outdated']],
  },
  {
    name: 'use_request',
    by: 'daemon',
    when: (now) => now.step === 'running' && now.attempt === 'active' && now.request === 'approved',
    words: () => [['request:used'], ['request:outdated']],
  },
  // recovery/recover, after a crash at any time
  {
    name: 'recover',
    by: 'daemon',
    when: (now) => (now.step === 'preparing' || now.step === 'running') && now.attempt === 'active',
    words: (now) => [
      [...lost(now), ...end(now, 'stuck')],
      ...(now.stop ? [[...lost(now), ...end(now, 'cancelled')]] : [[...lost(now), 'step:requeued'] as Letter[]]),
      ...(!now.stop && now.step === 'running' ? [[...lost(now), ...end(now, 'outcome_unknown')]] : []),
    ],
  },
  // delivery/*
  {
    name: 'renew_gate',
    by: 'daemon',
    when: (now) =>
      settleable(now) && (now.gate === 'pending' || now.gate === 'approved') && (completed(now) || now.step === 'needs_approval'),
    words: () => [['gate:outdated', 'gate:opened']],
  },
  {
    name: 'hold_to_policy',
    by: 'daemon',
    when: (now) => completed(now) && settleable(now) && now.gate === 'none',
    words: () => [['gate:opened']],
  },
  {
    name: 'integrate_change',
    by: 'person',
    when: (now) => completed(now) && (now.gate === 'none' || now.gate === 'approved'),
    words: () => [['change:integrating'], ['change:integrating', 'change:conflicted']],
  },
  {
    name: 'integration_ends',
    by: 'daemon',
    when: (now) => now.change === 'integrating',
    words: () => [['change:integrated'], ['change:returned'], ['change:validation_failed']],
  },
  {
    name: 'discard_change',
    by: 'person',
    when: (now) => ended(now),
    words: (now) => [[...only(now.gate === 'pending', 'gate:outdated'), 'change:discarded']],
  },
];

const moved = <S extends string, E extends string>(machine: Machine<S, E>, state: S | 'none', event: string): S | undefined =>
  state === 'none' ? undefined : machine.next(state, event as E);

/** The step's other columns, as they follow from an event. */
const besides = (now: Whole, event: StepEvent): Whole => {
  if (event === 'retried') return { ...now, stop: false, change: 'none', gate: 'none' };
  return event === 'prepared' ? { ...now, change: 'none', gate: 'none' } : now;
};

/** What one line makes of a step, or undefined where a table of core refuses it. */
export const applied = (now: Whole, letter: Letter, machines: Machines): Whole | undefined => {
  const [record, event] = letter.split(':') as [string, string];
  switch (record) {
    case 'run': {
      const state = moved(machines.run, now.run, event);
      return state && { ...now, run: state };
    }
    case 'step': {
      if (event === 'stop') return { ...now, stop: true };
      const state = moved(machines.step, now.step, event);
      return state && { ...besides(now, event as StepEvent), step: state };
    }
    case 'attempt': {
      const state = event === 'started' ? 'active' : moved(machines.attempt, now.attempt, event);
      return state && { ...now, attempt: state };
    }
    case 'change': {
      const state = event === 'recorded' ? 'held' : moved(machines.change, now.change, event);
      return state && { ...now, change: state };
    }
    default: {
      const which = record as 'gate' | 'request';
      const state = event === 'opened' ? (now[which] === 'pending' ? undefined : 'pending') : moved(machines.gate, now[which], event);
      return state && { ...now, [which]: state };
    }
  }
};
