import type { Step } from '@fairlead/shared/contract/resources';
import { stepNow } from '../ledger/views.ts';
import { causeOf, ownStep, scopeOf } from './asking.ts';
import type { Command, CommandDeps } from './command.ts';
import { stopStep } from './stopping.ts';

/** Asks a step to stop; the runner hears of it after the commit. @throws FairleadError `transition_refused` */
export const cancelStep =
  ({ ledger }: CommandDeps): Command<'cancel_step'> =>
  async (input, asker) => {
    const { id, instance_id, run_id } = ownStep(ledger.read, asker, input.step_id);
    return ledger.record((tx) =>
      tx.idempotent(scopeOf('cancel_step', input, asker, { instance_id, run_id }), (): Step => {
        const step = ownStep(tx.read, asker, id);
        return stepNow(tx.read, stopStep(tx, step, 'cancel', causeOf(asker)));
      }),
    );
  };
