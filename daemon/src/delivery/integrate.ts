import { FairleadError } from '@fairlead/shared/contract/errors';
import type { InputOf } from '@fairlead/shared/contract/operations/table';
import type { Change } from '@fairlead/shared/contract/resources';
import type { Cause, ChangeRecord } from '../core/records.ts';
import { treeOf } from '../git/commit.ts';
import type { Sync, Tx } from '../ledger/ledger.ts';
import { changeView } from '../ledger/views.ts';
import { admitIntegration, type Admitted } from './admission.ts';
import { causeOf, checkDecider, checkStillAllowed, scopeOf, type Decider } from './decider.ts';
import type { DeliveryDeps } from './delivery.ts';
import { gateOutdated, holdToPolicy, prospectOf, renewGate, type Prospect } from './gates.ts';
import { checkLanding, land, makeLanding, type Landed } from './landing.ts';
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
 * What is there already is not landed a second time, as a commit without content.
 * @throws FairleadError `already_in_target`
 */
const refuseEmpty = async (prospect: Prospect): Promise<void> => {
  if ((await treeOf(prospect.ground.store, prospect.target_commit)) === prospect.tree) throw new FairleadError('already_in_target');
};

/** Whether an error says that nothing moved. A fault of ours does not, and neither does a doubt. */
const isRefusal = (error: unknown): error is FairleadError => error instanceof FairleadError && error.code !== 'effect_in_doubt';

/**
 * From `integrating` to a moved ref. Every refusal puts the change back; after anything else the ref is asked what happened.
 * @throws FairleadError when nothing moved; `effect_in_doubt` when that cannot be found out now, with the change still `integrating`
 */
const perform = async (deps: DeliveryDeps, admitted: Admitted, prospect: Prospect, cause: Cause): Promise<Landed | 'settled'> => {
  const { change } = admitted;
  await deps.ledger.record((tx) => void tx.move.change(change.id, 'integrating', { reason: null }, cause));
  try {
    const commit = await makeLanding(deps, admitted, prospect);
    await checkLanding(deps, admitted, prospect, commit, cause);
    const landed = await land(deps, admitted, prospect, commit);
    if (landed.moved) return landed;
    throw new FairleadError('target_moved');
  } catch (error) {
    if (isRefusal(error)) {
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

/** How often, and in which steps, what has landed is tried to be recorded. In ms; about ten seconds together. */
const RECORD_TRIES = 6;
const RECORD_WAIT_MS = 300;

/**
 * Records what has happened already, again and again for a while: an answer that it was refused would not be true.
 * @throws FairleadError `effect_in_doubt` when the ledger cannot be written for longer
 */
const recordDone = async <T>({ ledger, clock, log }: DeliveryDeps, write: (tx: Tx) => Sync<T>): Promise<T> => {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ledger.record(write);
    } catch (cause) {
      log.error({ err: cause }, 'a landing could not be recorded');
      if (tries === RECORD_TRIES) {
        const detail = 'The target has moved, and that could not be recorded yet';
        throw new FairleadError('effect_in_doubt', { detail, hint: 'Integrate again: the daemon then finds what has landed.', cause });
      }
      await clock.sleep(RECORD_WAIT_MS * 2 ** (tries - 1));
    }
  }
};

const integrateNow = async (deps: DeliveryDeps, input: InputOf<'integrate_change'>, decider: Decider): Promise<Change> => {
  const { ledger } = deps;
  const found = ledger.read.change(input.change_id);
  if (!found) throw new FairleadError('not_found', { field: 'change_id' });
  // One at a time: nobody is at it, so an integration was cut off while its end could not be recorded.
  if (found.state === 'integrating') await settleIntegration(deps, found);
  const known = ledger.read.change(input.change_id) ?? found;
  const scope = scopeOf('integrate_change', input, decider, known);
  const before = scope && ledger.answered(scope);
  if (before) return before.answer as Change;
  // It was done already, under another key or by a daemon that died before it could answer: the answer is what there is.
  if (known.state === 'integrated') return ledger.record((tx) => tx.idempotent(scope, () => changeView(known)));
  const admitted = admitIntegration(ledger.read, input.change_id, decider);
  checkStillAllowed(ledger.read, admitted.change, decider, deps.clock.now());
  const cause = causeOf(decider);
  const prospect = await prospectOf(deps, admitted.change);
  if (admitted.gate) {
    const fresh = await renewGate(deps, admitted.gate, prospect);
    if (fresh.id !== admitted.gate.id) throw gateOutdated(fresh);
  }
  await holdToPolicy(deps, admitted, prospect);
  await refuseConflict(deps, admitted.change, prospect, cause);
  await refuseEmpty(prospect);
  const landed = await perform(deps, admitted, prospect, cause);
  return recordDone(deps, (tx) =>
    tx.idempotent(scope, () => {
      if (landed !== 'settled') return recordLanded(tx, landed.effect, cause, landed.moved ? landed.left_behind : undefined);
      const now = tx.read.change(input.change_id);
      if (!now) throw new FairleadError('not_found', { field: 'change_id' });
      return changeView(now);
    }),
  );
};

/**
 * Replays a completed change onto the live target, checks the tree that would land, and moves the branch only if it still is what was
 * checked against. Integrations of one repository go one after another.
 * @throws FairleadError `change_not_approved`, `gate_outdated`, `fence_broken`, `change_conflicts`, `integration_failed_validation`, `target_dirty`,
 *   `target_moved`, `base_not_integrated`, `already_in_target`, `halted`; in each case nothing moved. `effect_in_doubt`: it may have
 *   moved; the change stays `integrating`, and asking again finds out
 */
export const integrateChange =
  (deps: DeliveryDeps) =>
  async (input: InputOf<'integrate_change'>, decider: Decider): Promise<Change> => {
    const change = deps.ledger.read.change(input.change_id);
    if (!change) throw new FairleadError('not_found', { field: 'change_id' });
    checkDecider(decider, change);
    return deps.exclusively(change.instance_id, () => integrateNow(deps, input, decider));
  };
