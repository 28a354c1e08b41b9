import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeFrame } from '@fairlead/shared/wire/codec';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { until } from '../rig/processes.ts';
import { raiseStack, type Stack } from '../rig/stack.ts';

const INSTANCES = 200;
const PATIENCE_MS = 60_000;

/** DESIGN 5: one session carries every instance of its machine, and an advertise is the authoritative full set at every change. */
describe('200 instances on one connector', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await raiseStack({ instances: INSTANCES, project: { 'a.txt': 'a\n' } });
  }, 1_200_000);
  afterAll(() => stack?.close());

  const online = async (): Promise<string[]> => {
    const { items } = await stack.admin.call('list_all_instances', {});
    return items.filter((item) => item.online).map(({ id }) => id);
  };
  const ids = () => stack.instances.map(({ id }) => id);

  it('are all advertised, in one frame far below the limit', async ({ annotate }) => {
    expect((await online()).toSorted()).toEqual(ids().toSorted());
    const { items } = await stack.admin.call('list_connectors', {});
    expect(items).toHaveLength(1);
    const { items: listed } = await stack.admin.call('list_all_instances', {});
    // What the relay keeps of each is what was said of it, without its proof of a few kilobytes.
    expect(encodeFrame({ t: 'advertise', instances: listed as never }).length + INSTANCES * 4096).toBeLessThan(LIMITS.wire_frame.value / 4);
    await annotate(`${INSTANCES} instances advertised`, 'count');
  });

  it('all answer when they are asked at the same time', async ({ annotate }) => {
    const answers = await Promise.all(ids().map((id) => stack.planner.call('list_runs', { instance_id: id })));
    expect(answers.every(({ items }) => items.length === 0)).toBe(true);
    await annotate(`${INSTANCES} instances asked at once`, 'count');
  });

  it('are advertised anew when one is withdrawn or shared again, and the others go on being served', async () => {
    const [first, ...others] = ids() as [string, ...string[]];
    await stack.json('connector', 'unshare', '--instance', first);
    await until('it is withdrawn', async () => !(await online()).includes(first), PATIENCE_MS);
    expect((await online()).toSorted()).toEqual(others.toSorted());
    await expect(stack.planner.call('list_runs', { instance_id: first })).rejects.toMatchObject({ code: 'not_found' });
    await stack.planner.call('list_runs', { instance_id: others.at(-1)! });
    await stack.json('connector', 'share', '--instance', first);
    await until('it is back', async () => (await online()).includes(first), PATIENCE_MS);
    expect((await online()).toSorted()).toEqual(ids().toSorted());
    await stack.planner.call('list_runs', { instance_id: first });
  });
});
