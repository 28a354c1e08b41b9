import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Change } from '@fairlead/shared/contract/resources';
import { isoTime } from '@fairlead/shared/kit/clock';
import { BY_DAEMON, type Cause, type ChangeRecord, type GitEffectRecord } from '../core/records.ts';
import { settleLanding, type Settled } from '../git/integrate.ts';
import type { Tx } from '../ledger/ledger.ts';
import { changeView } from '../ledger/views.ts';
import type { DeliveryDeps } from './delivery.ts';
import { landingOf } from './landing.ts';

/**
 * Records, within a transaction, that a change has landed: the effect's end and the change's new state are one. What its work tree
 * missed stands beside it as the reason.
 */
export const recordLanded = (tx: Tx, effect: GitEffectRecord, cause: Cause, leftBehind?: string): Change => {
  tx.effects.mark(effect.id, 'reconciled');
  const integrated = { ref: effect.ref, from: effect.from, to: effect.to, at: isoTime(tx.at) };
  const reason = leftBehind === undefined ? null : { code: 'work_tree_left_behind', message: leftBehind };
  const data = { ...integrated, ...(reason && { reason }) };
  return changeView(tx.move.change(effect.change_id, 'integrated', { integrated, reason }, { ...cause, data }));
};

/** Puts a change back that was not integrated, so that it can be tried again. Nothing happens when it is put back already. */
export const putBack = async (
  { ledger }: Pick<DeliveryDeps, 'ledger'>,
  changeId: string,
  error: FairleadError,
  cause: Cause,
): Promise<void> => {
  const reason = { code: error.code, message: error.message };
  await ledger.record((tx) => {
    if (tx.read.change(changeId)?.state === 'integrating') tx.move.change(changeId, 'returned', { reason }, { ...cause, data: { reason } });
  });
};

/**
 * Finds out what an interrupted integration came to. The journal says from where to where the ref was to go; the ref says whether
 * it went. Where somebody else moved it meanwhile and our commit is not in it, the change goes back with `effect_in_doubt`.
 */
export const settleIntegration = async (
  deps: Pick<DeliveryDeps, 'ledger' | 'grounds' | 'log'>,
  change: ChangeRecord,
  cause: Cause = BY_DAEMON,
): Promise<'applied' | 'not_applied'> => {
  const { ledger, grounds, log } = deps;
  const open = ledger.read.gitEffects({ change_id: change.id }).filter(({ state }) => state === 'planned' || state === 'applied');
  for (const effect of open) {
    const instance = ledger.read.instance(effect.instance_id);
    if (!instance) throw new Error(`The instance of git effect ${effect.id} is missing`);
    const { store, repository } = await grounds.of(instance);
    const { found, left_behind } =
      effect.state === 'applied' ? ({ found: 'applied' } as Settled) : await settleLanding(store, repository, landingOf(effect));
    log.info({ change: change.id, effect: effect.id, found }, 'settled an interrupted integration');
    if (found === 'applied') {
      await ledger.record((tx) => void recordLanded(tx, effect, cause, left_behind));
      return 'applied';
    }
    await ledger.record((tx) => tx.effects.mark(effect.id, 'abandoned'));
    if (found === 'elsewhere') {
      await putBack(
        deps,
        change.id,
        new FairleadError('effect_in_doubt', { detail: 'The target was moved elsewhere while the change was being integrated' }),
        cause,
      );
      return 'not_applied';
    }
  }
  await putBack(deps, change.id, new FairleadError('target_moved', { detail: 'The integration was interrupted; nothing moved' }), cause);
  return 'not_applied';
};
