import { doTask } from '../rig/planner.ts';
import { until } from '../rig/processes.ts';
import { addFilePatch } from '../rig/repositories.ts';
import { holds, refused, type Scenario } from './scenario.ts';

export const shareControl: Scenario = {
  name: 'share-control',
  proves: 'only what the owner shares can be asked for, and a change of mind takes effect without a restart',
  async play(stack, report) {
    const { planner } = stack;
    const id = stack.instances[0]!.id;
    const listed = async () => (await planner.call('list_instances', {})).items.some((item) => item.id === id);
    await refused(['scope_denied', 'grant_denied'], 'files are not read by default', report, () =>
      planner.call('read_file', { instance_id: id, path: 'README.md' }),
    );
    const { items } = await stack.json<{ items: unknown[] }>('connector', 'list');
    holds(items.length === 1, 'fairlead-connector list shows the share', report, items);
    await stack.json('connector', 'unshare', '--instance', id);
    await until('the instance is gone from the relay', async () => !(await listed()));
    report('an unshared instance is gone from the list');
    await refused(['not_found', 'connector_offline'], 'and cannot be asked directly', report, () =>
      planner.call('get_instance', { instance_id: id }),
    );
    await stack.json('connector', 'share', '--instance', id, '--steps', '1');
    await until('the instance is back', async () => planner.call('get_instance', { instance_id: id }).catch(() => false as const));
    report('a shared instance is back, with a budget of one step');
    await doTask(planner, id, { title: 'One', patch: addFilePatch('notes/one.txt', 'one'), executor: 'patch' });
    await refused('grant_spent', 'a spent budget refuses the second step', report, () =>
      doTask(planner, id, { title: 'Two', patch: addFilePatch('notes/two.txt', 'two'), executor: 'patch' }),
    );
  },
};
