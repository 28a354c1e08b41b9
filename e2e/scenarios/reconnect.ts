import { randomUUID } from 'node:crypto';
import { doTask } from '../rig/planner.ts';
import { until } from '../rig/processes.ts';
import { MENDING_PATCH } from '../rig/repositories.ts';
import { holds, refused, type Scenario } from './scenario.ts';

export const reconnect: Scenario = {
  name: 'reconnect',
  proves: 'a part may stop or be killed and come back; planners are told the truth meanwhile and nothing happens twice',
  async play(stack, report) {
    const { planner } = stack;
    const id = stack.instances[0]!.id;
    const start = (key?: string) => planner.call('start_run', { instance_id: id, title: 'After the break' }, key);
    const back = () =>
      until('the path is there again', () => planner.call('get_instance', { instance_id: id }).catch(() => false as const), 40_000);
    const before = await doTask(planner, id, { title: 'Mend shipping', patch: MENDING_PATCH, executor: 'patch' });

    await stack.parts.connector.stop();
    await refused('connector_offline', 'with the connector stopped, a write is refused at once', report, start);
    const { items } = await planner.call('list_instances', {});
    holds(items.find((item) => item.id === id)?.online === false, 'the instance is listed as offline', report, items);
    await stack.start('connector');
    await back();
    holds((await start()).state === 'open', 'with the connector back, the same write is done', report);

    await stack.parts.relay.kill();
    await stack.start('relay');
    await back();
    report('after kill -9 of the relay the connector finds it again by itself, and the planner token still works');
    await stack.parts.daemon.kill();
    await refused(
      ['daemon_not_running', 'connector_offline', 'outcome_unknown'],
      'with the daemon killed, the answer says so',
      report,
      () => planner.call('get_step', { step_id: before.step.id }),
    );
    await stack.start('daemon');
    await back();
    const after = await planner.call('get_step_result', { step_id: before.step.id });
    holds(
      after.step.state === before.step.state && after.change?.digest === before.change?.digest,
      'after kill -9 of the daemon the step is what it was',
      report,
      after.step,
    );
    const key = randomUUID();
    const [once, twice] = [await start(key), await start(key)];
    holds(once.id === twice.id, 'the same key starts one run', report);
  },
};
