import { STEP_STATE_NAMES, STEP_STATES, type StepState } from '@fairlead/shared/contract/states';
import { keyOf, reaching, type Edge, type Space } from './explore.ts';
import type { Machines, Whole } from './state-model.ts';

/** A promise of the design about a step and all that belongs to it. Each answers what breaks it, in words. */
export interface Invariant {
  readonly name: string;
  readonly broken: (space: Space, machines: Machines) => readonly string[];
}

const ended = (now: Whole): boolean => STEP_STATES[now.step].end;
const completed = (now: Whole): boolean => now.step === 'completed' || now.step === 'completed_with_warnings';
const IN_FLIGHT: ReadonlySet<StepState> = new Set(['preparing', 'running', 'collecting', 'validating']);

const always = (name: string, holds: (now: Whole) => boolean): Invariant => ({
  name,
  broken: ({ states }) => [...states.values()].filter((now) => !holds(now)).map(keyOf),
});

const told = ({ from, coupling, word, to }: Edge): string => `${keyOf(from)} --${coupling.name} ${word.join(',')}--> ${keyOf(to)}`;
const never = (name: string, breaks: (edge: Edge) => boolean): Invariant => ({
  name,
  broken: ({ edges }) => edges.filter(breaks).map(told),
});

/** Every state of which this holds can come to one of which that holds. */
const leads = (name: string, from: (now: Whole) => boolean, to: (now: Whole) => boolean, over?: (edge: Edge) => boolean): Invariant => ({
  name,
  broken: (space) => {
    const good = reaching(space, to, over);
    return [...space.states].filter(([key, now]) => from(now) && !good.has(key)).map(([key]) => key);
  },
});

const has = (edge: Edge, ...events: readonly string[]): boolean => edge.word.some((letter) => events.includes(letter));

export const INVARIANTS: readonly Invariant[] = [
  // People decide.
  always('a change lands only after its gate was approved, or where none was needed', ({ change, gate }) =>
    change !== 'integrating' && change !== 'integrated' ? true : gate === 'none' || gate === 'approved',
  ),
  always('what a person rejected, or nobody approved in time, is discarded', ({ gate, step, change }) =>
    gate === 'rejected' || gate === 'expired' || step === 'rejected' ? change === 'discarded' : true,
  ),
  always('only the change of a completed step lands', (now) =>
    now.change === 'integrating' || now.change === 'integrated' || now.change === 'conflict' || now.change === 'failed_validation'
      ? completed(now)
      : true,
  ),
  always('a step waits for approval exactly when a gate holds its change', (now) =>
    now.step === 'needs_approval' ? now.gate === 'pending' && now.change === 'held' : now.gate !== 'pending' || completed(now),
  ),
  always(
    'a gate is decided only while there is a change to decide on',
    ({ gate, change }) => gate !== 'pending' || change === 'held' || change === 'conflict' || change === 'failed_validation',
  ),
  always('no request of an agent waits for a person once its step has ended', (now) => !(ended(now) && now.request === 'pending')),
  never('a permission is used only by an agent at work', (edge) => has(edge, 'request:used') && edge.from.attempt !== 'active'),
  never(
    'no second gate opens while one is pending',
    (edge) => has(edge, 'gate:opened') && edge.from.gate === 'pending' && !has(edge, 'gate:outdated'),
  ),
  never('a no ends the step that was held, and stays a no', ({ word, from, to }) =>
    (['rejected', 'expired'] as const).some(
      (event) => word.includes(`gate:${event}`) && (to.gate !== event || (from.step === 'needs_approval' && to.step !== 'rejected')),
    ),
  ),
  never(
    'a gate that opens before a step has completed holds it',
    (edge) => has(edge, 'gate:opened') && !completed(edge.from) && edge.to.step !== 'needs_approval',
  ),
  // Nothing is lost and nothing happens twice.
  never(
    'an integration that did not land leaves the change as it was',
    ({ from, to }) => from.change === 'integrating' && to.change === 'discarded',
  ),
  never(
    'a step begins to run only with an attempt that is active',
    ({ from, to }) => to.step === 'running' && from.step !== 'running' && to.attempt !== 'active',
  ),
  never(
    'what landed or was discarded stays so',
    ({ from, to }) =>
      (from.change === 'integrated' || from.change === 'discarded') &&
      to.change !== from.change &&
      to.change !== 'none' &&
      to.change !== 'held',
  ),
  never('a change that landed is left by nothing', ({ from, to }) => from.change === 'integrated' && to.change !== 'integrated'),
  {
    name: 'an end has no way out but a retry, and that where the contract allows it',
    broken: (_, { step }) =>
      STEP_STATE_NAMES.filter((state) => STEP_STATES[state].end).flatMap((state) => {
        const expected = STEP_STATES[state].retry === 'no' ? '' : 'retried';
        return step.enabled(state).join(',') === expected ? [] : [`${state}: ${step.enabled(state).join(',')}`];
      }),
  },
  never(
    'an end is left by a retry alone',
    (edge) => ended(edge.from) && edge.to.step !== edge.from.step && edge.coupling.name !== 'retry_step',
  ),
  always('an attempt is active exactly while its step prepares or runs', ({ step, attempt }) =>
    attempt === 'active' ? step === 'preparing' || step === 'running' : step !== 'preparing',
  ),
  always('a completed step has an attempt that finished', (now) => !completed(now) || now.attempt === 'finished'),
  always(
    'a doubt is said only of an attempt whose outcome nobody recorded',
    ({ step, attempt }) => step !== 'indeterminate' || attempt === 'lost',
  ),
  // Runs and stops.
  always('a stop that was asked for leaves nothing waiting', (now) => !now.stop || ended(now) || IN_FLIGHT.has(now.step)),
  never(
    'nothing is queued or begun in a cancelled run',
    (edge) => edge.from.run === 'cancelled' && has(edge, 'step:prepared', 'step:retried', 'step:requeued', 'step:resumed'),
  ),
  never('nothing is queued anew in a run that is not open', (edge) => edge.from.run !== 'open' && has(edge, 'step:retried')),
  always('a cancelled run has no step that waits', (now) => now.run !== 'cancelled' || ended(now) || IN_FLIGHT.has(now.step)),
  never(
    'a cancelled run stays cancelled, and a closed one is not opened',
    ({ from, to }) => (from.run === 'cancelled' && to.run !== 'cancelled') || (from.run === 'closed' && to.run === 'open'),
  ),
  // No way ends in nothing.
  {
    name: 'what the daemon does by itself is never refused by a table',
    broken: ({ refusals }) =>
      refusals
        .filter(({ coupling }) => coupling.by === 'daemon')
        .map(({ from, coupling, letter }) => `${keyOf(from)}: ${coupling.name} ${letter}`),
  },
  {
    name: 'a step that has not ended can always be cancelled, and its run while it is not cancelled',
    broken: ({ refusals }) =>
      refusals
        .filter(({ coupling, from }) => coupling.name === 'cancel_step' || (coupling.name === 'cancel_run' && from.run !== 'cancelled'))
        .map(({ from, coupling, letter }) => `${keyOf(from)}: ${coupling.name} ${letter}`),
  },
  {
    name: 'no open state is without a way out',
    broken: ({ states, out }) =>
      [...states].filter(([key, now]) => !ended(now) && !out.get(key)!.some(({ to }) => to.step !== now.step)).map(([key]) => key),
  },
  leads(
    'every open step comes to an end or a decision by what the daemon does alone',
    (now) => !ended(now),
    (now) => ended(now) || now.step === 'needs_approval',
    ({ coupling }) => coupling.by === 'daemon',
  ),
  leads(
    'a stop that was asked for ends the step by what the daemon does alone',
    ({ stop }) => stop,
    ended,
    ({ coupling }) => coupling.by === 'daemon',
  ),
  leads('a step that is queued can still complete', ({ step, stop }) => step === 'queued' && !stop, completed),
  leads(
    'a step that has failed can still complete while its run is open',
    (now) => now.run === 'open' && STEP_STATES[now.step].retry !== 'no',
    completed,
  ),
  leads(
    'an approved change can land',
    (now) => completed(now) && now.change === 'held',
    ({ change }) => change === 'integrated',
  ),
  leads(
    'every change of a step that has ended can be settled',
    (now) => ended(now) && now.change !== 'none',
    ({ change }) => change === 'integrated' || change === 'discarded',
  ),
];
