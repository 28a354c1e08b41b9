import type { Client } from '@fairlead/shared/contract/client';

/** Enough of the newest: planners have only a few runs under way. */
const RUNS = 200;

/** The steps of an instance that were asked for through a relay, and that are still at work or wait for their turn. */
export const goingSteps = async (operator: Client, instance: string): Promise<string[]> => {
  const { items: runs } = await operator.call('list_runs', { instance_id: instance, limit: RUNS });
  const lists = await Promise.all(
    runs
      .filter((run) => run.progress === 'running' || run.progress === 'needs_approval')
      .map((run) => operator.call('list_steps', { run_id: run.id, limit: 500 })),
  );
  return lists
    .flatMap((list) => list.items)
    .filter((step) => step.authority === 'relay_asserted' && !step.ended && step.state !== 'needs_approval')
    .map((step) => step.id);
};
