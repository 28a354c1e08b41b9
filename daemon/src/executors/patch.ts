import { FairleadError } from '@fairlead/shared/contract/errors';
import { applyPatch } from '../git/apply-patch.ts';
import type { Executor } from './executor.ts';
import { stoppedOutcome } from './executor.ts';

/** Applies a diff that the planner supplies, in the store. It runs nothing, so it needs no sandbox, agent, model or key. */
export const patchExecutor: Executor = {
  id: 'patch',
  kind: 'patch',
  description: 'Applies a unified diff that the planner supplies. Runs nothing but the declared validations.',
  needs: 'store',
  runs_code: false,
  replayable: true,
  simulated: false,
  prompted: false,
  unavailable: () => undefined,
  checked: 'built in',
  async execute(order) {
    const { patch: bytes } = order;
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
