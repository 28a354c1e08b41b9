import { change as changeMachine } from '../core/change.ts';
import type { StepRecord } from '../core/records.ts';
import type { About, Tx } from './ledger.ts';

/**
 * Puts away what a step leaves that nobody decided about: its gate goes out of date, and a change that could still land is discarded. The
 * evidence stays.
 */
export const putAway = (tx: Tx, step: Pick<StepRecord, 'gate_id' | 'change_id'>, about: About): void => {
  const gate = step.gate_id === null ? undefined : tx.read.gate(step.gate_id);
  if (gate?.kind === 'change' && gate.state === 'pending') tx.move.gate(gate.id, 'outdated', {}, about);
  const change = step.change_id === null ? undefined : tx.read.change(step.change_id);
  if (change && changeMachine.next(change.state, 'discarded')) tx.move.change(change.id, 'discarded', {}, about);
};
