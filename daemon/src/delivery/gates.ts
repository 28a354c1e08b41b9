import { FairleadError } from '@fairlead/shared/contract/errors';
import { GATE_REASONS, type ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import type { GateBinding } from '@fairlead/shared/contract/gates';
import { gateDigest, validationDigest } from '../core/digest.ts';
import { BY_DAEMON } from '../core/records.ts';
import type { ChangeGate, ChangeRecord, GateRecord, ValidationRecord } from '../core/records.ts';
import { replayChange } from '../git/replay.ts';
import { syncStore } from '../git/store.ts';
import type { Ledger, Reads } from '../ledger/ledger.ts';
import { sameRules, type EffectivePolicy } from '../policy/effective.ts';
import { addGate } from '../runner/add-gate.ts';
import type { Ground, Grounds } from '../runner/grounds.ts';
import type { Admitted } from './admission.ts';
import { judgeAnew, policyNow, refuseBroken, wentBy } from './policy-now.ts';

export interface GateDeps {
  readonly ledger: Ledger;
  readonly grounds: Grounds;
  /** The policy that the daemon's config holds for an instance; it wins over the policy ref. */
  policyOverride(instanceId: string): ProjectPolicy | undefined;
}

/** Where a change would land now, and as what. */
export interface Prospect {
  readonly ground: Ground;
  readonly target_ref: string;
  readonly target_commit: string;
  /** The tips of target and policy ref, read together. */
  readonly tips: ReadonlyMap<string, string>;
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
  const tips = await syncStore(ground.store, ground.repository, [...new Set([target_ref, instance.policy_ref])]);
  const target_commit = tips.get(target_ref);
  if (target_commit === undefined)
    throw new FairleadError('repository_invalid', { detail: `The branch ${target_ref} does not exist any more` });
  const about = { ground, target_ref, target_commit, tips };
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

/** What a gate would be bound to now: the same parts, against the live target and the policy in force. */
const presentBinding = (ledger: Ledger, change: ChangeRecord, gate: ChangeGate, prospect: Prospect, now: EffectivePolicy): GateBinding => {
  const bound = ledger.read.policy(gate.binding.policy_digest);
  return bindingOf(
    change,
    prospect,
    ledger.read.validations({ step_id: change.step_id, attempt_id: change.attempt_id }),
    bound && sameRules(bound, now) ? bound.digest : now.digest,
  );
};

/** The gate as the ledger has it by now. */
const asItIs = (read: Reads, gate: ChangeGate): ChangeGate => {
  const now = read.gate(gate.id);
  return now?.kind === 'change' ? now : gate;
};

/**
 * Looks whether a gate still is bound to what would be integrated, by the policy in force. Where it is not, it goes `outdated` and a new
 * one opens on the new content, in one transaction; the answer is the gate that holds now. An ended gate is answered as it is.
 * @throws FairleadError `project_policy_invalid`, `repository_invalid`
 */
export const renewGate = async (deps: GateDeps, gate: ChangeGate, found?: Prospect): Promise<ChangeGate> => {
  const { ledger } = deps;
  const change = ledger.read.change(gate.change_id);
  if (!change) throw new Error(`The change of ${gate.id} is missing`);
  const prospect = found ?? (await prospectOf(deps, change));
  const effective = await policyNow(deps, change, prospect);
  const binding = presentBinding(ledger, change, gate, prospect, effective);
  if (gateDigest(binding) === gate.digest) return asItIs(ledger.read, gate);
  const { reasons } = await judgeAnew(deps, change, prospect, effective);
  const all = new Set([...gate.reasons, ...reasons]);
  return ledger.record((tx) => {
    const current = asItIs(tx.read, gate);
    if (current.state !== 'pending' && current.state !== 'approved') return current;
    tx.add.policy(effective);
    tx.move.gate(gate.id, 'outdated', {}, { ...BY_DAEMON, data: { target_commit: binding.target_commit } });
    return addGate(
      tx,
      change,
      binding,
      // What it was held for once holds it still, also where the owner has taken the reason away: somebody was to look.
      GATE_REASONS.filter((reason) => all.has(reason)),
      gate.id,
    );
  });
};

/**
 * Holds a change to the policy in force where its attempt went by other rules. What the fence forbids now does not land, approved or
 * not; what a gate would hold now gets one, if it came without.
 * @throws FairleadError `fence_broken`, `project_policy_invalid`, `change_not_approved` that names the new gate
 */
export const holdToPolicy = async (deps: GateDeps, { change, gate }: Admitted, prospect: Prospect): Promise<void> => {
  const { ledger } = deps;
  const effective = await policyNow(deps, change, prospect);
  if (wentBy(deps, change, effective)) return;
  const judged = await judgeAnew(deps, change, prospect, effective);
  refuseBroken(judged);
  if (gate || judged.reasons.length === 0) return;
  const validations = ledger.read.validations({ step_id: change.step_id, attempt_id: change.attempt_id });
  const binding = bindingOf(change, prospect, validations, effective.digest);
  const fresh = await ledger.record((tx) => {
    tx.add.policy(effective);
    return addGate(tx, change, binding, judged.reasons);
  });
  throw new FairleadError('change_not_approved', {
    detail: 'The policy was changed since the step ended, and holds its change now',
    more: { gate_id: fresh.id, digest: fresh.digest },
  });
};

/** The refusal that names the gate to decide on instead. */
export const gateOutdated = (fresh: Pick<GateRecord, 'id' | 'digest'>): FairleadError =>
  new FairleadError('gate_outdated', {
    detail: 'The target or the policy was changed, so the gate no longer matches what would be integrated',
    more: { gate_id: fresh.id, digest: fresh.digest },
  });
