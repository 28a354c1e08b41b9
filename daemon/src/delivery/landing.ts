import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Cause, GitEffectRecord, ValidationRecord } from '../core/records.ts';
import { makeCommit } from '../git/commit.ts';
import { moveRef, settleLanding, transferObjects, type Moved } from '../git/integrate.ts';
import type { Landing } from '../git/landing.ts';
import { journalPoint } from '../ledger/journal.ts';
import type { EffectivePolicy } from '../policy/effective.ts';
import { isOfCheck, runChecks } from '../runner/validate.ts';
import type { Admitted } from './admission.ts';
import { checkStillAllowed } from './decider.ts';
import type { DeliveryDeps } from './delivery.ts';
import type { Prospect } from './gates.ts';
import { policyNow, wentBy } from './policy-now.ts';

/** The refs of the store that keep what was made to land. */
const LANDINGS = 'refs/fairlead/landings/';

/** The journal's landing as git takes it. */
export const landingOf = (effect: Pick<GitEffectRecord, 'ref' | 'from' | 'to' | 'change_id'>): Landing => ({
  ref: effect.ref,
  from: effect.from,
  to: effect.to,
  token: effect.change_id,
});

/** Makes the one commit that is to land, in the store. */
export const makeLanding = ({ clock }: DeliveryDeps, { change, step }: Admitted, prospect: Prospect): Promise<string> =>
  makeCommit(prospect.ground.store, {
    tree: prospect.tree,
    parents: [prospect.target_commit],
    title: step.title,
    trailers: [
      ['Fairlead-Step', step.id],
      ['Fairlead-Change', change.id],
      ['Fairlead-Instance', change.instance_id],
    ],
    at: clock.now(),
    keep: `${LANDINGS}${change.id}`,
  });

/** What may end the right to an integration that is under way. */
const ENDING: ReadonlySet<string> = new Set(['daemon.halted', 'instance.unshared', 'instance.removed']);

/** A signal that is aborted, with the refusal, when the integration is not allowed any more. */
const rightsSignal = ({ ledger, clock }: DeliveryDeps, { change, decider }: Admitted): { readonly signal: AbortSignal; close(): void } => {
  const controller = new AbortController();
  const close = ledger.onCommit((events) => {
    if (!events.some(({ type }) => ENDING.has(type))) return;
    try {
      checkStillAllowed(ledger.read, change, decider, clock.now());
    } catch (refusal) {
      controller.abort(refusal);
    }
  });
  return { signal: controller.signal, close };
};

/**
 * What keeps a tree from landing: required checks that failed on it, and those of which no row says how they went. Only a check that
 * passed counts as passed.
 */
export const unproven = (
  validations: EffectivePolicy['validations'],
  rows: readonly Pick<ValidationRecord, 'name' | 'phase' | 'tree' | 'passed'>[],
  tree: string,
): { readonly failed: readonly string[]; readonly missing: readonly string[] } => {
  const here = rows.filter((row) => row.phase === 'integration' && row.tree === tree);
  const names = validations.filter(({ required }) => required).map(({ name }) => name);
  const owed = names.filter((name) => !here.some((row) => row.name === name && row.passed));
  const ran = (name: string): boolean => here.some((row) => row.name === name);
  return { failed: owed.filter(ran), missing: owed.filter((name) => !ran(name)) };
};

/**
 * Checks the tree that would land, by the policy in force, when it or that policy is another than what was checked.
 * @throws FairleadError `integration_failed_validation`, after it was recorded or, where a check did not come to its end, with the
 *   change as it was; `halted`
 */
export const checkLanding = async (
  deps: DeliveryDeps,
  admitted: Admitted,
  prospect: Prospect,
  commit: string,
  cause: Cause,
): Promise<void> => {
  const { ledger } = deps;
  const { change } = admitted;
  const attempt = ledger.read.attempt(change.attempt_id);
  const instance = ledger.read.instance(change.instance_id);
  if (!attempt || !instance) throw new Error(`The rows of ${change.id} are not whole`);
  const effective = await policyNow(deps, change, prospect);
  if (prospect.tree === change.tree && wentBy(deps, change, effective)) return;
  const rights = rightsSignal(deps, admitted);
  try {
    const about = { deps, attempt, instance, ground: prospect.ground, effective, signal: rights.signal };
    await runChecks({ ...about, phase: 'integration', commit, tree: prospect.tree });
    rights.signal.throwIfAborted();
  } finally {
    rights.close();
  }
  const checks = effective.validations.map(({ name, run }) => ({ name, argv: run }));
  const rows = ledger.read
    .validations({ step_id: change.step_id, attempt_id: change.attempt_id })
    .filter((row) => checks.some((check) => isOfCheck(row, check)));
  const { failed, missing } = unproven(effective.validations, rows, prospect.tree);
  if (missing.length > 0) {
    const detail = `These required validations did not come to their end: ${missing.join(', ')}`;
    throw new FairleadError('integration_failed_validation', { detail, hint: 'Integrate again.', more: { validations: missing } });
  }
  if (failed.length === 0) return;
  const message = `On the present target these required validations fail: ${failed.join(', ')}`;
  await ledger.record(
    (tx) => void tx.move.change(change.id, 'validation_failed', { reason: { code: 'integration_failed_validation', message } }, cause),
  );
  throw new FairleadError('integration_failed_validation', { detail: message, more: { validations: failed } });
};

/** What came of a compare-and-swap, with its journal entry. */
export type Landed = Moved & { readonly effect: GitEffectRecord };

/**
 * After an error of which nobody can say on which side of the compare-and-swap it was: the ref says.
 * @throws FairleadError the error itself, when nothing moved; `effect_in_doubt` when the ref cannot be asked either, or is elsewhere
 */
const askRef = async ({ log }: DeliveryDeps, prospect: Prospect, effect: GitEffectRecord, error: unknown): Promise<Moved> => {
  const { store, repository } = prospect.ground;
  log.warn({ err: error, change: effect.change_id }, 'moving the ref ended with an error; looking at the ref');
  const { found, left_behind } = await settleLanding(store, repository, landingOf(effect)).catch((cause: unknown) => {
    throw new FairleadError('effect_in_doubt', { detail: 'Whether the target has moved could not be found out yet', cause });
  });
  if (found === 'applied') return { moved: true, ...(left_behind !== undefined && { left_behind }) };
  if (found === 'not_applied' || error instanceof FairleadError) throw error;
  throw new FairleadError('effect_in_doubt', { cause: error });
};

/**
 * The compare-and-swap, between its journal entries. What happens after the ref has moved is never a refusal: it is answered, or stands
 * in the log.
 * @throws FairleadError when nothing moved; `effect_in_doubt` when the journal's entry has to be settled
 */
export const land = async (deps: DeliveryDeps, admitted: Admitted, prospect: Prospect, to: string): Promise<Landed> => {
  const { ledger, log, clock } = deps;
  const { change, decider } = admitted;
  const { ground, target_ref: ref, target_commit: from } = prospect;
  const { instance_id, run_id, step_id, id: change_id } = change;
  const effect = await ledger.record((tx) => {
    checkStillAllowed(tx.read, change, decider, tx.at);
    return tx.effects.plan({ kind: 'move_ref', instance_id, run_id, step_id, change_id, ref, from, to });
  });
  const landing = landingOf(effect);
  const end = await (async (): Promise<Moved> => {
    journalPoint('effect.objects:before');
    await transferObjects(ground.store, ground.repository, landing);
    journalPoint('effect.objects:after');
    journalPoint('effect.ref:before');
    // The last moment at which a halt or a withdrawal still can hold it.
    checkStillAllowed(ledger.read, change, decider, clock.now());
    const moved = await moveRef(ground.store, ground.repository, landing).catch((error: unknown) => askRef(deps, prospect, effect, error));
    journalPoint('effect.ref:after');
    return moved;
  })().catch(async (error: unknown) => {
    // Whoever is in doubt leaves the entry open, for the one who settles it.
    const refused = error instanceof FairleadError && error.code !== 'effect_in_doubt';
    if (refused) await ledger.record((tx) => tx.effects.mark(effect.id, 'abandoned'));
    throw error;
  });
  if (end.moved && end.left_behind !== undefined) log.warn({ change: change_id, why: end.left_behind }, 'the work tree did not go along');
  await ledger
    .record((tx) => tx.effects.mark(effect.id, end.moved ? 'applied' : 'abandoned'))
    // The entry is still `planned`, which whoever settles it takes for a question to the ref.
    .catch((error: unknown) => log.error({ err: error, change: change_id }, 'what came of a landing could not be noted'));
  return { ...end, effect };
};
