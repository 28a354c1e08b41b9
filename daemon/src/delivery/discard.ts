import { FairleadError } from '@fairlead/shared/contract/errors';
import type { InputOf } from '@fairlead/shared/contract/operations/table';
import type { Change } from '@fairlead/shared/contract/resources';
import { STEP_STATES } from '@fairlead/shared/contract/states';
import { changeView } from '../ledger/views.ts';
import { causeOf, checkDecider, scopeOf, type Decider } from './decider.ts';
import type { DeliveryDeps } from './delivery.ts';

/** Says that a change will not be integrated. A gate that still waits for a decision on it goes out of date; the evidence stays. */
export const discardChange =
  ({ ledger, exclusively }: Pick<DeliveryDeps, 'ledger' | 'exclusively'>) =>
  async (input: InputOf<'discard_change'>, decider: Decider): Promise<Change> => {
    const change = ledger.read.change(input.change_id);
    if (!change) throw new FairleadError('not_found', { field: 'change_id' });
    checkDecider(decider, change);
    const scope = scopeOf('discard_change', input, decider, change);
    const about = { ...causeOf(decider), ...(input.comment !== undefined && { data: { comment: input.comment } }) };
    return exclusively(change.instance_id, () =>
      ledger.record((tx) =>
        tx.idempotent(scope, () => {
          const step = tx.read.step(change.step_id);
          if (step?.state === 'needs_approval' && step.change_id === change.id) {
            throw new FairleadError('change_not_approved', {
              detail: 'A gate holds this change',
              hint: 'Reject its gate instead; that ends the step too.',
              more: { gate_id: step.gate_id },
            });
          }
          // Its checks and its gate are still to come, and would be about nothing.
          if (step && !STEP_STATES[step.state].end && step.change_id === change.id) {
            throw new FairleadError('transition_refused', {
              detail: `The step is ${step.state}; its change is discarded when it has ended`,
              hint: 'Cancel the step.',
              more: { state: step.state },
            });
          }
          const gate = step?.gate_id ? tx.read.gate(step.gate_id) : undefined;
          if (gate?.state === 'pending' && gate.change_id === change.id) tx.move.gate(gate.id, 'outdated', {}, about);
          return changeView(tx.move.change(change.id, 'discarded', {}, about));
        }),
      ),
    );
  };
