import { doTask, followStep } from '../rig/planner.ts';
import { addFilePatch } from '../rig/repositories.ts';
import { holds, refused, type Scenario } from './scenario.ts';

export const retry: Scenario = {
  name: 'retry',
  proves: 'a failed step can be queued again as a new attempt, and nothing of the old one is lost',
  async play(stack, report) {
    const { planner } = stack;
    const id = stack.instances[0]!.id;
    const failed = await doTask(planner, id, { title: 'Mend nothing', patch: addFilePatch('notes/a.txt', 'a'), executor: 'patch' });
    holds(failed.step.state === 'failed_validation', 'a change that does not mend the test fails its validation', report, failed.step);
    holds(
      failed.validations.some(({ exit_code }) => exit_code !== 0 && exit_code !== null),
      'the exit code of the check is kept',
      report,
      failed.validations,
    );
    const again = await planner.call('retry_step', { step_id: failed.step.id });
    holds(again.state === 'queued' || again.attempts >= 1, 'it is queued again', report, again);
    const { step } = await followStep(planner, failed.step.id);
    holds(step.attempts === 2 && step.executor.requested === step.executor.used, 'the same executor made a second attempt', report, step);
    const { items } = await planner.call('list_attempts', { step_id: step.id });
    holds(items.length === 2 && items[0]!.id === failed.attempt!.id, 'both attempts are kept', report, items);
    const { items: artifacts } = await planner.call('list_artifacts', { step_id: step.id });
    holds(
      artifacts.some(({ attempt_id }) => attempt_id === failed.attempt!.id),
      'the evidence of the first attempt is kept',
      report,
    );

    const crashed = await doTask(planner, id, { title: 'Crash', goal: 'crash', executor: 'simulation.crashed' });
    holds(
      crashed.step.state === 'failed_executor' && crashed.step.simulated,
      "a crashed executor is the executor's failure, and marked as simulated",
      report,
      crashed.step,
    );
    const held = await doTask(planner, id, { title: 'Cancelled run', goal: 'x', executor: 'simulation.refused' });
    await planner.call('close_run', { run_id: held.runId });
    await refused('run_not_open', 'a step of a closed run is not retried', report, () =>
      planner.call('retry_step', { step_id: held.step.id }),
    );
  },
};
