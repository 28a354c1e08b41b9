import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Cause, ChangeRecord, GitEffectRecord } from '../core/records.ts';
import { makeCommit } from '../git/commit.ts';
import { moveRef, transferObjects } from '../git/integrate.ts';
import type { Landing } from '../git/landing.ts';
import { journalPoint } from '../ledger/journal.ts';
import { runChecks } from '../runner/validate.ts';
import type { Admitted } from './admission.ts';
import type { DeliveryDeps } from './delivery.ts';
import type { Prospect } from './gates.ts';

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

/** A signal that is aborted when the owner halts the machine. */
const haltSignal = (ledger: DeliveryDeps['ledger']): { readonly signal: AbortSignal; close(): void } => {
  const controller = new AbortController();
  const close = ledger.onCommit((events) => {
    if (events.some(({ type }) => type === 'daemon.halted')) controller.abort(new FairleadError('halted'));
  });
  return { signal: controller.signal, close };
};

const refuseHalted = (read: DeliveryDeps['ledger']['read']): void => {
  if (read.halted()) throw new FairleadError('halted');
};

/**
 * Checks the tree that would land, when it is another than the one that was checked.
 * @throws FairleadError `integration_failed_validation`, after it was recorded; `halted`
 */
export const checkLanding = async (
  deps: DeliveryDeps,
  { change }: Admitted,
  prospect: Prospect,
  commit: string,
  cause: Cause,
): Promise<void> => {
  if (prospect.tree === change.tree) return;
  const { ledger } = deps;
  const attempt = ledger.read.attempt(change.attempt_id);
  const instance = ledger.read.instance(change.instance_id);
  const effective = attempt?.policy_digest ? ledger.read.policy(attempt.policy_digest) : undefined;
  if (!attempt || !instance || !effective) throw new Error(`The rows of ${change.id} are not whole`);
  const halting = haltSignal(ledger);
  try {
    const about = { deps, attempt, instance, ground: prospect.ground, effective, signal: halting.signal };
    const round = await runChecks({ ...about, phase: 'integration', commit, tree: prospect.tree });
    if (round.interrupted) throw new FairleadError('halted');
  } finally {
    halting.close();
  }
  const failed = ledger.read
    .validations({ step_id: change.step_id, attempt_id: change.attempt_id })
    .filter((row) => row.phase === 'integration' && row.tree === prospect.tree && row.required && !row.passed)
    .map(({ name }) => name);
  if (failed.length === 0) return;
  const message = `On the present target these required validations fail: ${failed.join(', ')}`;
  await ledger.record(
    (tx) => void tx.move.change(change.id, 'validation_failed', { reason: { code: 'integration_failed_validation', message } }, cause),
  );
  throw new FairleadError('integration_failed_validation', { detail: message, more: { validations: failed } });
};

/** The compare-and-swap, between its journal entries. Whatever is thrown or answered but `moved`, nothing moved. */
export const land = async (
  deps: DeliveryDeps,
  change: ChangeRecord,
  prospect: Prospect,
  to: string,
): Promise<{ effect: GitEffectRecord; moved: boolean }> => {
  const { ledger } = deps;
  const { ground, target_ref: ref, target_commit: from } = prospect;
  const { instance_id, run_id, step_id, id: change_id } = change;
  const effect = await ledger.record((tx) => {
    refuseHalted(tx.read);
    return tx.effects.plan({ kind: 'move_ref', instance_id, run_id, step_id, change_id, ref, from, to });
  });
  const landing = landingOf(effect);
  try {
    journalPoint('effect.objects:before');
    await transferObjects(ground.store, ground.repository, landing);
    journalPoint('effect.objects:after');
    journalPoint('effect.ref:before');
    // The last moment at which a halt still can hold it.
    refuseHalted(ledger.read);
    const moved = (await moveRef(ground.store, ground.repository, landing)) === 'moved';
    journalPoint('effect.ref:after');
    await ledger.record((tx) => tx.effects.mark(effect.id, moved ? 'applied' : 'abandoned'));
    return { effect, moved };
  } catch (error) {
    // Only a refusal says that nothing moved. After anything else the ref itself has to be asked, as after a crash.
    if (error instanceof FairleadError) await ledger.record((tx) => tx.effects.mark(effect.id, 'abandoned'));
    throw error;
  }
};
