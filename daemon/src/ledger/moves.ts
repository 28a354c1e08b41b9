import { FairleadError } from '@fairlead/shared/contract/errors';
import { STEP_STATES } from '@fairlead/shared/contract/states';
import { ATTEMPT_EVENT_TYPES, attempt } from '../core/attempt.ts';
import { CHANGE_EVENT_TYPES, change } from '../core/change.ts';
import { GATE_EVENT_TYPES, gate } from '../core/gate.ts';
import type { Machine } from '../core/machine.ts';
import { RUN_EVENT_TYPES, run } from '../core/run.ts';
import { STEP_EVENT_TYPES, step } from '../core/step.ts';
import type { Append } from './append.ts';
import type { Tx } from './ledger.ts';
import type { RecordTable } from './table.ts';
import type { Tables } from './tables.ts';

interface Moving<State extends string> {
  readonly id: string;
  readonly state: State;
}

/** Loads the row and asks core. @throws FairleadError `not_found`, `transition_refused` */
const ask = <S extends string, E extends string, R extends Moving<S>>(
  of: Machine<S, E>,
  table: RecordTable<R>,
  id: string,
  event: E,
): { from: R; to: S } => {
  const from = table.get(id);
  if (!from) throw new FairleadError('not_found', { detail: `There is no ${of.name} ${id}` });
  const to = of.next(from.state, event);
  if (to !== undefined) return { from, to };
  throw new FairleadError('transition_refused', {
    detail: `The ${of.name} is ${from.state}; "${event}" is not possible then.`,
    rule: `a ${of.name} that is ${from.state} takes ${of.enabled(from.state).join(', ') || 'no further event'}`,
    more: { state: from.state },
  });
};

/** The moves of every machine: nothing else writes a column named state. */
export const createMoves = (tables: Tables, append: Append, at: () => number, nextQueueOrder: () => number): Tx['move'] => ({
  run(id, event, set, about) {
    const { from, to } = ask(run, tables.runs, id, event);
    const next = { ...from, ...set, state: to, ended_at: at() };
    tables.runs.update(id, { ...set, state: to, ended_at: next.ended_at });
    append(RUN_EVENT_TYPES[event], { instance_id: from.instance_id, run_id: id }, about, { from: from.state, to });
    return next;
  },
  step(id, event, set, about) {
    const { from, to } = ask(step, tables.steps, id, event);
    const facts = {
      ...set,
      // What was asked of an earlier attempt does not hold for a new one.
      ...(to === 'queued' && {
        queue_order: nextQueueOrder(),
        resume_at: null,
        ...(event === 'retried' && { stop_requested_at: null, stop_why: null, reason: null, warnings: [] }),
      }),
      state: to,
      updated_at: at(),
      // Left out where it stays as it is: a column that is set, even to what it was, makes SQLite write its indexes again.
      ...(STEP_STATES[to].end ? { ended_at: at() } : from.ended_at !== null && { ended_at: null }),
    };
    const next = { ...from, ...facts };
    tables.steps.update(id, facts);
    append(STEP_EVENT_TYPES[event], { instance_id: from.instance_id, run_id: from.run_id, step_id: id }, about, {
      event,
      from: from.state,
      to,
      ...(next.reason && { reason: next.reason }),
      ...(STEP_STATES[to].end && next.warnings.length > 0 && { warnings: next.warnings }),
    });
    return next;
  },
  attempt(id, event, set, about) {
    const { from, to } = ask(attempt, tables.attempts, id, event);
    const facts = { ...set, state: to, ended_at: at() };
    const next = { ...from, ...facts };
    tables.attempts.update(id, facts);
    append(ATTEMPT_EVENT_TYPES[event], from, about, {
      attempt_id: id,
      number: from.number,
      outcome: to,
      exit_code: next.exit_code,
      signal: next.signal,
      ...(next.reason && { reason: next.reason }),
    });
    return next;
  },
  change(id, event, set, about) {
    const { from, to } = ask(change, tables.changes, id, event);
    const facts = { ...set, state: to };
    const next = { ...from, ...facts };
    tables.changes.update(id, facts);
    append(CHANGE_EVENT_TYPES[event], from, about, {
      change_id: id,
      from: from.state,
      to,
      ...(event === 'integrated' && { integrated: next.integrated }),
      ...(next.reason && { reason: next.reason }),
    });
    return next;
  },
  gate(id, event, set, about) {
    const { from, to } = ask(gate, tables.gates, id, event);
    const decided = event === 'approved' || event === 'rejected';
    const facts = { ...(decided && { decided_at: at(), decided_by: about.principal, authority: about.authority }), ...set, state: to };
    const next = { ...from, ...facts };
    tables.gates.update(id, facts);
    append(GATE_EVENT_TYPES[event], from, about, {
      gate_id: id,
      change_id: from.change_id,
      digest: from.digest,
      ...(decided && next.comment !== null && { comment: next.comment }),
    });
    return next;
  },
});
