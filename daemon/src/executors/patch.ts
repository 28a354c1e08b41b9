import { FairleadError } from '@fairlead/shared/contract/errors';
import type { TaskSpec } from '@fairlead/shared/contract/task';
import { applyPatch } from '../git/apply-patch.ts';
import type { Executor } from './executor.ts';
import { stoppedOutcome } from './executor.ts';

/** The bytes of a task's patch, or undefined when it has none. */
export const patchBytes = (task: TaskSpec): Buffer | undefined => {
  if (task.patch !== undefined) return Buffer.from(task.patch, 'utf8');
  return task.patch_base64 === undefined ? undefined : Buffer.from(task.patch_base64, 'base64');
};

/** Applies a diff that the planner supplies, in the store. It runs nothing, so it needs no sandbox, agent, model or key. */
export const patchExecutor: Executor = {
  id: 'patch',
  kind: 'patch',
  description: 'Applies a unified diff that the planner supplies. Runs nothing but the declared validations.',
  needs: 'store',
  runs_code: false,
  replayable: true,
  simulated: false,
  unavailable: () => undefined,
  checked: 'built in',
  async execute(order) {
    const bytes = patchBytes(order.task);
    if (!bytes) return { outcome: 'refused', reason: { code: 'patch_required', message: 'The patch executor needs a patch' } };
    if (order.signal.aborted) return { outcome: stoppedOutcome(order.signal) };
    try {
      const tree = await applyPatch(order.store, order.base_commit, bytes);
      return order.signal.aborted ? { outcome: stoppedOutcome(order.signal) } : { outcome: 'finished', tree };
    } catch (error) {
      if (!(error instanceof FairleadError)) throw error;
      return { outcome: 'refused', reason: { code: error.code, message: error.message } };
    }
  },
};
