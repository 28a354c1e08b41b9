import { FairleadError } from '@fairlead/shared/contract/errors';
import type { GateReason, ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import type { FenceFinding } from '@fairlead/shared/contract/resources';
import type { TaskSpec } from '@fairlead/shared/contract/task';
import type { ChangeRecord } from '../core/records.ts';
import { readDifference } from '../git/difference.ts';
import { effectivePolicy, sameRules, type EffectivePolicy } from '../policy/effective.ts';
import { gateReasons } from '../policy/gates.ts';
import { fenceFindings } from '../runner/fence-findings.ts';
import { ownerPolicyOf } from '../runner/policy-in-force.ts';
import type { GateDeps, Prospect } from './gates.ts';

/** A task without the validations that the owner has taken away, or has declared under the same name, since it was submitted. */
const stillMeant = (task: TaskSpec, policy: ProjectPolicy): TaskSpec => ({
  ...task,
  validations: task.validations.filter((one) =>
    typeof one === 'string' ? Object.hasOwn(policy.validations, one) : !Object.hasOwn(policy.validations, one.name),
  ),
});

/**
 * What holds for a change now: the owner's policy as the prospect found it, tightened by the task. The policy of the attempt says what
 * its evidence is worth; it does not say what may land.
 * @throws FairleadError `project_policy_invalid`
 */
export const policyNow = async (deps: GateDeps, change: ChangeRecord, { ground, tips }: Prospect): Promise<EffectivePolicy> => {
  const instance = deps.ledger.read.instance(change.instance_id);
  const task = deps.ledger.read.task(change.step_id);
  if (!instance || !task) throw new Error(`The rows of ${change.id} are not whole`);
  const owner = await ownerPolicyOf(ground, instance, tips, deps.policyOverride(instance.id));
  return effectivePolicy(owner, stillMeant(task.spec, owner.policy));
};

/** Whether the attempt of a change went by the rules that are given, so that its findings, gates and checks still count. */
export const wentBy = ({ ledger }: Pick<GateDeps, 'ledger'>, change: ChangeRecord, effective: EffectivePolicy): boolean => {
  const digest = ledger.read.attempt(change.attempt_id)?.policy_digest;
  const then = digest ? ledger.read.policy(digest) : undefined;
  return then !== undefined && sameRules(then, effective);
};

/** How other rules than those of its attempt judge a change. */
export interface JudgedAnew {
  readonly broken: readonly FenceFinding[];
  readonly reasons: readonly GateReason[];
}

/** Judges the fence and the gate reasons of a change by an effective policy. */
export const judgeAnew = async (
  { ledger }: Pick<GateDeps, 'ledger'>,
  change: ChangeRecord,
  { ground }: Pick<Prospect, 'ground'>,
  effective: EffectivePolicy,
): Promise<JudgedAnew> => {
  const findings = fenceFindings(await readDifference(ground.store, change.base_commit, change.tree), effective);
  const remote = ledger.read.step(change.step_id)?.remote ?? true;
  return {
    broken: findings.filter(({ severity }) => severity === 'failed'),
    reasons: gateReasons({ changed: true, findings, remote, effective }),
  };
};

/** @throws FairleadError `fence_broken` that names the paths */
export const refuseBroken = ({ broken }: JudgedAnew): void => {
  if (broken.length === 0) return;
  const what = broken.map(({ path, message }) => (path === null ? message : `${path}: ${message}`));
  throw new FairleadError('fence_broken', {
    detail: `The policy in force forbids the change: ${what.slice(0, 5).join('; ')}`,
    more: { findings: broken.slice(0, 50) },
  });
};
