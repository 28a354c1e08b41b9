import { FairleadError } from '@fairlead/shared/contract/errors';
import { STEP_STATES } from '@fairlead/shared/contract/states';
import { ATTEMPT_EVENT_TYPES, attempt } from '../core/attempt.ts';
import { CHANGE_EVENT_TYPES, change } from '../core/change.ts';
import { GATE_EVENT_TYPES, gate } from '../core/gate.ts';
import type { Machine } from '../core/machine.ts';
import type { StepRecord } from '../core/records.ts';
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

/** Columns that are set along with the state. */
type Facts<R> = { -readonly [K in keyof R]?: R[K] };

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
export const createMoves = (tables: Tables, append: Append, at: () => number, nextQueueOrder: () => number): Tx['move'] => {
  const requests = tables.gates.select("where step_id = @step and kind = 'permission' and state = 'pending' order by id");
  const moves: Tx['move'] = {
    run(id, event, set, about) {
      const { from, to } = ask(run, tables.runs, id, event);
      const next = tables.runs.change(from, { ...set, state: to, ended_at: at() });
      append(RUN_EVENT_TYPES[event], { instance_id: from.instance_id, run_id: id }, about, { from: from.state, to });
      return next;
    },
    step(id, event, set, about) {
      const { from, to } = ask(step, tables.steps, id, event);
      const end = STEP_STATES[to].end;
      // Nobody works any more who could be given what was asked for.
      if (end && from.gate_id !== null) for (const request of requests({ step: id })) moves.gate(request.id, 'outdated', {}, about);
      const facts: Facts<StepRecord> = { ...set };
      if (to === 'queued') {
        facts.queue_order = nextQueueOrder();
        facts.resume_at = null;
        // What was asked of an earlier attempt does not hold for a new one.
        if (event === 'retried') Object.assign(facts, { stop_requested_at: null, stop_why: null, reason: null, warnings: [] });
      }
      facts.state = to;
      facts.updated_at = at();
      // Left out where it stays as it is: a column that is set, even to what it was, makes SQLite write its indexes again.
      if (end) facts.ended_at = at();
      else if (from.ended_at !== null) facts.ended_at = null;
      const next = tables.steps.change(from, facts);
      const data: Record<string, unknown> = { event, from: from.state, to };
      if (next.reason) data['reason'] = next.reason;
      if (end && next.warnings.length > 0) data['warnings'] = next.warnings;
      append(STEP_EVENT_TYPES[event], { instance_id: from.instance_id, run_id: from.run_id, step_id: id }, about, data);
      return next;
    },
    attempt(id, event, set, about) {
      const { from, to } = ask(attempt, tables.attempts, id, event);
      const next = tables.attempts.change(from, { ...set, state: to, ended_at: at() });
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
        kind: from.kind,
        ...(from.change_id !== null && { change_id: from.change_id }),
        digest: from.digest,
        ...(decided && next.comment !== null && { comment: next.comment }),
      });
      return next;
    },
  };
  return moves;
};
