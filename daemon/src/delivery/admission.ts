import { FairleadError } from '@fairlead/shared/contract/errors';
import type { ChangeGate, ChangeRecord, StepRecord } from '../core/records.ts';
import type { Reads } from '../ledger/ledger.ts';
import type { Decider } from './decider.ts';

/** What may be integrated, and the approved gate that it rests on, if one was needed. */
export interface Admitted {
  readonly change: ChangeRecord;
  readonly step: StepRecord;
  readonly gate: ChangeGate | undefined;
  /** In whose name; asked for their rights again in the transaction that plans the effect. */
  readonly decider: Decider;
}

const checkBase = (read: Reads, step: StepRecord): void => {
  if (!step.base.startsWith('step_')) return;
  const base = read.step(step.base);
  const below = base?.change_id ? read.change(base.change_id) : undefined;
  if (below?.state === 'integrated') return;
  throw new FairleadError('base_not_integrated', { more: { base_step_id: step.base, ...(below && { base_change_id: below.id }) } });
};

/**
 * Whether the records allow that a change is integrated now.
 * @throws FairleadError `not_found`, `halted`, `change_not_approved`, `base_not_integrated`, `transition_refused`
 */
export const admitIntegration = (read: Reads, changeId: string, decider: Decider): Admitted => {
  const change = read.change(changeId);
  const step = change && read.step(change.step_id);
  if (!change || !step) throw new FairleadError('not_found', { field: 'change_id' });
  if (read.halted()) throw new FairleadError('halted');
  if (step.state === 'needs_approval') throw new FairleadError('change_not_approved', { more: { gate_id: step.gate_id } });
  const current = step.change_id === change.id && (step.state === 'completed' || step.state === 'completed_with_warnings');
  if (!current) {
    throw new FairleadError('transition_refused', {
      detail: `Only the change of a completed step is integrated; the step is ${step.state}`,
      more: { state: step.state },
    });
  }
  checkBase(read, step);
  const gate = step.gate_id === null ? undefined : read.gate(step.gate_id);
  if (gate?.kind !== 'change' || gate.change_id !== change.id) return { change, step, gate: undefined, decider };
  if (gate.state !== 'approved')
    throw new FairleadError('change_not_approved', { detail: `Its gate is ${gate.state}`, more: { gate_id: gate.id } });
  return { change, step, gate, decider };
};
