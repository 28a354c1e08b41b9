import { FairleadError } from '@fairlead/shared/contract/errors';
import type { InputOf } from '@fairlead/shared/contract/operations/table';
import type { Change } from '@fairlead/shared/contract/resources';
import type { Cause, ChangeRecord, GitEffectRecord } from '../core/records.ts';
import { changeView } from '../ledger/views.ts';
import { admitIntegration, type Admitted } from './admission.ts';
import { causeOf, checkDecider, scopeOf, type Decider } from './decider.ts';
import type { DeliveryDeps } from './delivery.ts';
import { gateOutdated, prospectOf, renewGate, type Prospect } from './gates.ts';
import { checkLanding, land, makeLanding } from './landing.ts';
import { putBack, recordLanded, settleIntegration } from './settle.ts';

/** @throws FairleadError `change_conflicts`, after it was recorded */
const refuseConflict = async ({ ledger }: DeliveryDeps, change: ChangeRecord, prospect: Prospect, cause: Cause): Promise<void> => {
  const { conflict } = prospect;
  if (!conflict) return;
  const message = `The change conflicts with the present target in ${conflict.paths.join(', ')}`;
  await ledger.record((tx) => {
    tx.move.change(change.id, 'integrating', {}, cause);
    tx.move.change(change.id, 'conflicted', { reason: { code: 'change_conflicts', message } }, cause);
  });
  throw new FairleadError('change_conflicts', { detail: message, more: { paths: conflict.paths, git: conflict.message } });
};

/**
 * From `integrating` to a moved ref. Every refusal puts the change back; a fault of ours asks the ref what happened.
 * @throws FairleadError when nothing moved
 */
const perform = async (deps: DeliveryDeps, admitted: Admitted, prospect: Prospect, cause: Cause): Promise<GitEffectRecord | 'settled'> => {
  const { change } = admitted;
  await deps.ledger.record((tx) => void tx.move.change(change.id, 'integrating', { reason: null }, cause));
  try {
    const commit = await makeLanding(deps, admitted, prospect);
    await checkLanding(deps, admitted, prospect, commit, cause);
    const { effect, moved } = await land(deps, change, prospect, commit);
    if (moved) return effect;
    throw new FairleadError('target_moved');
  } catch (error) {
    if (error instanceof FairleadError) {
      await putBack(deps, change.id, error, cause);
      if (error.code === 'target_moved' && admitted.gate) {
        const fresh = await renewGate(deps, admitted.gate);
        throw fresh.id === admitted.gate.id ? error : gateOutdated(fresh);
      }
      throw error;
    }
    deps.log.error({ err: error, change: change.id }, 'an integration failed; looking at the ref');
    if ((await settleIntegration(deps, change, cause)) === 'applied') return 'settled';
    throw error;
  }
};

const integrateNow = async (deps: DeliveryDeps, input: InputOf<'integrate_change'>, decider: Decider): Promise<Change> => {
  const { ledger } = deps;
  const known = ledger.read.change(input.change_id);
  if (!known) throw new FairleadError('not_found', { field: 'change_id' });
  const scope = scopeOf('integrate_change', input, decider, known);
  const before = scope && ledger.answered(scope);
  if (before) return before.answer as Change;
  // It was done already, under another key or by a daemon that died before it could answer: the answer is what there is.
  if (known.state === 'integrated') return ledger.record((tx) => tx.idempotent(scope, () => changeView(known)));
  const admitted = admitIntegration(ledger.read, input.change_id);
  const cause = causeOf(decider);
  const prospect = await prospectOf(deps, admitted.change);
  if (admitted.gate) {
    const fresh = await renewGate(deps, admitted.gate, prospect);
    if (fresh.id !== admitted.gate.id) throw gateOutdated(fresh);
  }
  await refuseConflict(deps, admitted.change, prospect, cause);
  const landed = await perform(deps, admitted, prospect, cause);
  return ledger.record((tx) =>
    tx.idempotent(scope, () => {
      if (landed !== 'settled') return recordLanded(tx, landed, cause);
      const now = tx.read.change(input.change_id);
      if (!now) throw new FairleadError('not_found', { field: 'change_id' });
      return changeView(now);
    }),
  );
};

/**
 * Replays a completed change onto the live target, checks the tree that would land, and moves the branch only if it still is what was
 * checked against. Integrations of one repository go one after another.
 * @throws FairleadError `change_not_approved`, `gate_outdated`, `change_conflicts`, `integration_failed_validation`, `target_dirty`,
 *   `target_moved`, `base_not_integrated`, `halted`; in each case nothing moved
 */
export const integrateChange =
  (deps: DeliveryDeps) =>
  async (input: InputOf<'integrate_change'>, decider: Decider): Promise<Change> => {
    const change = deps.ledger.read.change(input.change_id);
    if (!change) throw new FairleadError('not_found', { field: 'change_id' });
    checkDecider(decider, change);
    return deps.exclusively(change.instance_id, () => integrateNow(deps, input, decider));
  };
