import { followStep } from '../rig/planner.ts';
import { until } from '../rig/processes.ts';
import { holds, refused, type Scenario } from './scenario.ts';

export const cancel: Scenario = {
  name: 'cancel',
  proves: 'what runs can be stopped, is said to be cancelled only when it is gone, and a halted machine takes nothing',
  stack: { config: 'parallelism: 1\n' },
  async play(stack, report) {
    const { planner, operator } = stack;
    const id = stack.instances[0]!.id;
    const run = await planner.call('start_run', { instance_id: id, title: 'Slow work' });
    const submit = () =>
      planner.call('submit_task', { run_id: run.id, task: { title: 'Slow', goal: 'be slow', executor: 'simulation.slow' } });
    const running = await submit();
    const waiting = await submit();
    await until('the first step runs', async () => (await planner.call('get_step', { step_id: running.id })).state === 'running');
    const queued = await planner.call('get_step', { step_id: waiting.id });
    holds(queued.state === 'queued' && queued.position === 1, 'the second waits, and its place is visible', report, queued);
    await planner.call('cancel_step', { step_id: waiting.id });
    const never = await followStep(planner, waiting.id);
    holds(
      never.step.state === 'cancelled' && never.step.attempts === 0,
      'a waiting step is cancelled without an attempt',
      report,
      never.step,
    );
    await planner.call('cancel_step', { step_id: running.id });
    const stopped = await followStep(planner, running.id, 30_000);
    holds(
      stopped.step.state === 'cancelled' && stopped.step.stop_requested_at !== null,
      'a running step is cancelled',
      report,
      stopped.step,
    );

    const third = await submit();
    await until('the third step runs', async () => (await planner.call('get_step', { step_id: third.id })).state === 'running');
    await planner.call('cancel_run', { run_id: run.id });
    const ended = await followStep(planner, third.id, 30_000);
    holds(ended.step.state === 'cancelled', 'cancelling a run stops its steps', report, ended.step);
    await refused('run_not_open', 'a cancelled run takes no more', report, submit);

    const halted = await stack.json<{ halted: boolean }>('fairlead', 'halt');
    holds(halted.halted, 'fairlead halt latches', report, halted);
    await refused('halted', 'a halted machine refuses what the relay asks', report, () =>
      planner.call('start_run', { instance_id: id, title: 'No' }),
    );
    await stack.json('fairlead', 'resume');
    const { halted: still } = await operator.call('daemon_status', {});
    holds(!still, 'fairlead resume takes work again', report);
  },
};
