import { FairleadError } from '@fairlead/shared/contract/errors';
import type { GateBinding } from '@fairlead/shared/contract/resources';
import { gateDigest, validationDigest } from '../core/digest.ts';
import { BY_DAEMON } from '../core/records.ts';
import type { ChangeRecord, GateRecord, ValidationRecord } from '../core/records.ts';
import { replayChange } from '../git/replay.ts';
import { syncStore } from '../git/store.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { addGate } from '../runner/add-gate.ts';
import type { Ground, Grounds } from '../runner/grounds.ts';

export interface GateDeps {
  readonly ledger: Ledger;
  readonly grounds: Grounds;
}

/** Where a change would land now, and as what. */
export interface Prospect {
  readonly ground: Ground;
  readonly target_ref: string;
  readonly target_commit: string;
  /** What the target's tree would become. Where the change does not replay, the change's own tree. */
  readonly tree: string;
  /** Why it does not replay, in git's words; undefined when it does. */
  readonly conflict: { readonly paths: readonly string[]; readonly message: string } | undefined;
}

/**
 * Replays a change onto the live target, in the store. Nothing of the user's repository moves.
 * @throws FairleadError `repository_invalid` when the repository or its target branch is gone
 */
export const prospectOf = async ({ ledger, grounds }: GateDeps, change: ChangeRecord): Promise<Prospect> => {
  const instance = ledger.read.instance(change.instance_id);
  const run = ledger.read.run(change.run_id);
  if (!instance || !run) throw new Error(`The rows of ${change.id} are not whole`);
  const ground = await grounds.of(instance);
  const target_ref = run.target;
  const target_commit = (await syncStore(ground.store, ground.repository, [target_ref])).get(target_ref);
  if (target_commit === undefined)
    throw new FairleadError('repository_invalid', { detail: `The branch ${target_ref} does not exist any more` });
  const about = { ground, target_ref, target_commit };
  if (target_commit === change.base_commit) return { ...about, tree: change.tree, conflict: undefined };
  const replay = await replayChange(ground.store, { base: change.base_commit, snapshot: change.snapshot_commit, onto: target_commit });
  return replay.outcome === 'clean'
    ? { ...about, tree: replay.tree, conflict: undefined }
    : { ...about, tree: change.tree, conflict: replay };
};

/** What a decision on a change would be bound to. Pure but for what `prospect` found. */
const bindingOf = (
  change: ChangeRecord,
  prospect: Prospect,
  validations: readonly ValidationRecord[],
  policyDigest: string,
): GateBinding => ({
  instance_id: change.instance_id,
  step_id: change.step_id,
  base_commit: change.base_commit,
  target_ref: prospect.target_ref,
  target_commit: prospect.target_commit,
  resulting_tree: prospect.tree,
  diff_digest: change.digest,
  // What was checked for the change. Checks of a tree that would land come after the decision and are bound by its tree.
  validation_digests: validations.filter(({ phase }) => phase !== 'integration').map(validationDigest),
  policy_digest: policyDigest,
});

/** The binding of a change against the target as it is now. */
export const bindGate = async (
  deps: GateDeps,
  change: ChangeRecord,
  validations: readonly ValidationRecord[],
  policyDigest: string,
): Promise<GateBinding> => bindingOf(change, await prospectOf(deps, change), validations, policyDigest);

/** What a gate would be bound to now: the same parts, against the live target. */
const presentBinding = (ledger: Ledger, change: ChangeRecord, gate: GateRecord, prospect: Prospect): GateBinding =>
  bindingOf(
    change,
    prospect,
    ledger.read.validations({ step_id: change.step_id, attempt_id: change.attempt_id }),
    gate.binding.policy_digest,
  );

/**
 * Looks whether a gate still is bound to what would be integrated. Where it is not, it goes `outdated` and a new one opens on the new
 * content, in one transaction; the answer is the gate that holds now. An ended gate is answered as it is.
 */
export const renewGate = async (deps: GateDeps, gate: GateRecord, prospect?: Prospect): Promise<GateRecord> => {
  const { ledger } = deps;
  const change = ledger.read.change(gate.change_id);
  if (!change) throw new Error(`The change of ${gate.id} is missing`);
  const binding = presentBinding(ledger, change, gate, prospect ?? (await prospectOf(deps, change)));
  if (gateDigest(binding) === gate.digest) return ledger.read.gate(gate.id) ?? gate;
  return ledger.record((tx) => {
    const current = tx.read.gate(gate.id) ?? gate;
    if (current.state !== 'pending' && current.state !== 'approved') return current;
    tx.move.gate(gate.id, 'outdated', {}, { ...BY_DAEMON, data: { target_commit: binding.target_commit } });
    return addGate(tx, change, binding, gate.reasons, gate.id);
  });
};

/** The refusal that names the gate to decide on instead. */
export const gateOutdated = (fresh: GateRecord): FairleadError =>
  new FairleadError('gate_outdated', {
    detail: 'The target moved, so the gate no longer matches what would be integrated',
    more: { gate_id: fresh.id, digest: fresh.digest },
  });
