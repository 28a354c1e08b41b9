import { FairleadError } from '@fairlead/shared/contract/errors';
import type { InstanceRecord, RunRecord, StepRecord } from '../core/records.ts';
import { isReachable } from '../git/reachable.ts';
import type { Reads } from '../ledger/ledger.ts';
import type { Ground } from './grounds.ts';

/** The refs of the user's repository that work on a run may need: its target, the policy ref, and the branches that the owner listed. */
export const refsFor = (
  instance: Pick<InstanceRecord, 'target' | 'policy_ref' | 'listed_branches'>,
  run: Pick<RunRecord, 'target'>,
): string[] => [...new Set([run.target, instance.target, instance.policy_ref, ...instance.listed_branches])];

const snapshotOf = (read: Reads, step: StepRecord): string => {
  const other = read.step(step.base);
  if (!other || other.run_id !== step.run_id) {
    throw new FairleadError('base_unknown', { field: 'task.base', detail: 'The base is not a step of the same run' });
  }
  const change = other.change_id === null ? undefined : read.change(other.change_id);
  if (!change) throw new FairleadError('base_unknown', { field: 'task.base', detail: `Step ${other.number} left no change to stand on` });
  return change.snapshot_commit;
};

/**
 * The commit that a step's attempt stands on, resolved once, when it is prepared.
 * @param tips present tips of `refsFor`, all of them in the store
 * @throws FairleadError `base_unknown`, `base_not_allowed`
 */
export const resolveBase = async (
  read: Reads,
  rows: { readonly step: StepRecord; readonly run: RunRecord; readonly instance: InstanceRecord },
  ground: Ground,
  tips: ReadonlyMap<string, string>,
): Promise<string> => {
  const { step, run, instance } = rows;
  if (step.base === 'target') {
    const tip = tips.get(run.target);
    if (tip === undefined)
      throw new FairleadError('base_unknown', { field: 'task.base', detail: `The branch ${run.target} does not exist any more` });
    return tip;
  }
  if (step.base.startsWith('step_')) return snapshotOf(read, step);
  const allowed = [instance.target, ...instance.listed_branches].flatMap((ref) => tips.get(ref) ?? []);
  if (await isReachable(ground.store, step.base, allowed)) return step.base;
  throw new FairleadError('base_not_allowed', { field: 'task.base', detail: 'No listed branch reaches this commit' });
};
