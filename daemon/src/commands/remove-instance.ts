import { causeOf, scopeOf, servedInstance } from './asking.ts';
import type { Command, CommandDeps } from './command.ts';
import type { RunRecord } from '../core/records.ts';
import type { Tx } from '../ledger/ledger.ts';
import { GOING, stopStep } from './stopping.ts';

const openRuns = (tx: Tx, id: string): RunRecord[] => tx.read.runs({ instance_id: id, state: 'open', limit: 500 });

/** Withdraws all grants of an instance, cancels its open runs, and serves it no more. The repository is not touched; the evidence stays. */
export const removeInstance =
  ({ ledger }: CommandDeps): Command<'remove_instance'> =>
  async (input, asker) => {
    const scope = scopeOf('remove_instance', input, asker, { instance_id: input.instance_id });
    return ledger.record((tx) =>
      tx.idempotent(scope, () => {
        const { id } = servedInstance(tx.read, asker, input.instance_id);
        const about = causeOf(asker);
        for (let open = openRuns(tx, id); open.length > 0; open = openRuns(tx, id)) {
          for (const run of open) tx.move.run(run.id, 'cancelled', {}, about);
        }
        for (const step of tx.read.stepsIn(GOING).filter((one) => one.instance_id === id)) stopStep(tx, step, 'cancel', about);
        tx.removeInstance(id, about);
        return { removed: true as const, instance_id: id };
      }),
    );
  };
