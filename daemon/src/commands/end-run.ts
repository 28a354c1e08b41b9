import type { Run } from '@fairlead/shared/contract/resources';
import { runNow } from '../ledger/views.ts';
import { causeOf, ownRun, scopeOf } from './asking.ts';
import type { Command, CommandDeps } from './command.ts';
import { goingSteps, stopStep } from './stopping.ts';

/** Takes no more tasks and stops every step of the run that has not ended. @throws FairleadError `transition_refused` */
export const cancelRun =
  ({ ledger }: CommandDeps): Command<'cancel_run'> =>
  async (input, asker) => {
    const { id, instance_id } = ownRun(ledger.read, asker, input.run_id);
    const about = causeOf(asker);
    return ledger.record((tx) =>
      tx.idempotent(scopeOf('cancel_run', input, asker, { instance_id, run_id: id }), (): Run => {
        // The run comes first, so that no step is queued behind the steps that are being stopped.
        const run = tx.move.run(id, 'cancelled', {}, about);
        for (const step of goingSteps(tx, id)) stopStep(tx, step, 'cancel', about);
        return runNow(tx.read, run);
      }),
    );
  };

/** Says that no further task will come; steps under way go on. @throws FairleadError `transition_refused` */
export const closeRun =
  ({ ledger }: CommandDeps): Command<'close_run'> =>
  async (input, asker) => {
    const { id, instance_id } = ownRun(ledger.read, asker, input.run_id);
    return ledger.record((tx) =>
      tx.idempotent(scopeOf('close_run', input, asker, { instance_id, run_id: id }), (): Run =>
        runNow(tx.read, tx.move.run(id, 'closed', {}, causeOf(asker))),
      ),
    );
  };
