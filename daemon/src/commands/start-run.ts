import { FairleadError } from '@fairlead/shared/contract/errors';
import { newResourceId } from '@fairlead/shared/contract/ids';
import type { Run } from '@fairlead/shared/contract/resources';
import { runNow } from '../ledger/views.ts';
import { causeOf, checkNotHalted, scopeOf, servedInstance } from './asking.ts';
import type { Command, CommandDeps } from './command.ts';

/** Opens a run on the instance's target, or on another branch that the owner listed. @throws FairleadError `invalid_input`, `halted` */
export const startRun =
  ({ ledger }: CommandDeps): Command<'start_run'> =>
  async (input, asker) => {
    const instance = servedInstance(ledger.read, asker, input.instance_id);
    const target = input.target ?? instance.target;
    const available = [...new Set([instance.target, ...instance.listed_branches])];
    if (!available.includes(target)) {
      throw new FairleadError('invalid_input', {
        field: 'target',
        rule: 'must be a branch that the owner listed',
        detail: `${target} is not a listed branch`,
        hint: `Name one of: ${available.join(', ')}`,
        more: { available },
      });
    }
    const scope = scopeOf('start_run', input, asker, { instance_id: instance.id });
    return ledger.record((tx) =>
      tx.idempotent(scope, (): Run => {
        checkNotHalted(tx.read);
        servedInstance(tx.read, asker, instance.id);
        const run = tx.add.run(
          {
            id: newResourceId('run', instance.id),
            instance_id: instance.id,
            title: input.title,
            target,
            submitted_by: asker.principal,
            authority: asker.authority,
          },
          causeOf(asker),
        );
        return runNow(tx.read, run);
      }),
    );
  };
