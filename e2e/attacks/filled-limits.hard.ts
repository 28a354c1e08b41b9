import { randomUUID } from 'node:crypto';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { httpPlanner, type Planner } from '../rig/planner.ts';
import { until } from '../rig/processes.ts';
import { raiseStack, type Stack } from '../rig/stack.ts';

const RATE = 1200;
const QUIET = 3;

const NAP = { title: 'Nap', executor: 'command.nap', expects: 'answer' } as const;

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'answered',
    ({ code }: { code: string }) => code,
  );

/** Attack 20: one who asks fills a limit to the brim. Rule: fair between instances and between those who ask; what it fills is its own. */
describe('one planner fills', { timeout: 60_000 }, () => {
  let stack: Stack;
  let token: string;
  let noisy: Planner;
  let held: string[];

  const newToken = async (name: string): Promise<string> =>
    (await stack.admin.call('create_planner_token', { name }, { idempotencyKey: randomUUID() })).secret;
  /** Another planner gets its answers, from another instance behind the same connector, and may ask for work there. */
  const othersAreServed = async (): Promise<void> => {
    const instance_id = stack.instances[QUIET]!.id;
    expect((await stack.planner.call('get_instance', { instance_id })).id).toBe(instance_id);
    const run = await stack.planner.call('start_run', { instance_id, title: 'Quiet' });
    const step = await stack.planner.call('submit_task', { run_id: run.id, task: NAP });
    expect(step.state).toBe('queued');
    await stack.planner.call('cancel_step', { step_id: step.id });
  };

  beforeAll(async () => {
    stack = await raiseStack({
      instances: 4,
      config: 'parallelism: 1\ncommands:\n  nap: { run: [sleep, "600"] }\n',
      env: { FAIRLEAD_RELAY_PLANNER_RATE: String(RATE) },
    });
    token = await newToken('noisy');
    noisy = httpPlanner(stack.relayUrl, token);
    held = [];
    for (const { id } of stack.instances.slice(0, QUIET)) {
      const run = await noisy.call('start_run', { instance_id: id, title: 'Noisy' });
      held.push((await noisy.call('submit_task', { run_id: run.id, task: NAP })).id);
    }
  }, 120_000);
  afterAll(() => stack?.close());

  it('every place on the line that it can have', async ({ annotate }) => {
    const { wire_pending_per_instance: perInstance, wire_pending_per_principal: perPrincipal } = LIMITS;
    // From here on nothing happens to these steps, so that each wait takes its whole time.
    const seen = [];
    for (const step_id of held) seen.push({ step_id, cursor: (await noisy.call('wait_step', { step_id, timeout_ms: 1 })).next_cursor });
    // Not by our own client, which opens fewer connections than that.
    const wait = async ({ step_id, cursor }: { step_id: string; cursor: string }) => {
      const query = new URLSearchParams({ cursor, timeout_ms: '8000' });
      const headers = { authorization: `Bearer ${token}` };
      const response = await fetch(`${stack.relayUrl}/api/v2/steps/${step_id}/wait?${query}`, { headers });
      await response.arrayBuffer();
      return response.status;
    };
    const waits = seen.flatMap((from) => Array.from({ length: perInstance.value + 1 }, () => wait(from)));
    const pending = async () => (await stack.admin.call('relay_status', {})).pending;
    await until('its waits are all there', async () => (await pending()) === perPrincipal.value);
    await othersAreServed();
    const statuses = await Promise.all(waits);
    expect(statuses.filter((status) => status === 200)).toHaveLength(perPrincipal.value);
    expect(statuses.filter((status) => status === 429)).toHaveLength(waits.length - perPrincipal.value);
    await annotate(`${waits.length} waits of one planner`, 'count');
  });

  it('the queue', async ({ annotate }) => {
    const run = await noisy.call('start_run', { instance_id: stack.instances[0]!.id, title: 'Noisy' });
    const submit = () => codeOf(noisy.call('submit_task', { run_id: run.id, task: NAP }));
    let waiting = 0;
    for (let code = await submit(); code === 'answered'; code = await submit()) waiting += 1;
    expect(await submit()).toBe('queue_full');
    await othersAreServed();
    await annotate(`${waiting} steps of one planner`, 'count');
  });

  it('its rate', async ({ annotate }) => {
    const flood = httpPlanner(stack.relayUrl, await newToken('flood'));
    const flooding = async () => Promise.all(Array.from({ length: RATE / 4 }, () => codeOf(flood.call('list_instances', {}))));
    let asked = 0;
    for (let codes = await flooding(); !codes.includes('rate_limited'); codes = await flooding()) asked += codes.length;
    const [codes] = await Promise.all([flooding(), othersAreServed()]);
    expect(codes).toContain('rate_limited');
    await annotate(`${asked} requests of one planner`, 'count');
  });

  it('what an address may fail to sign in, while a good token from there is served', async () => {
    const stranger = httpPlanner(stack.relayUrl, `flp_${'x'.repeat(43)}`);
    let code = await codeOf(stranger.call('list_instances', {}));
    for (let at = 0; at < LIMITS.unauthenticated_rate.value && code === 'unauthenticated'; at++)
      code = await codeOf(stranger.call('list_instances', {}));
    expect(code).toBe('rate_limited');
    await othersAreServed();
  });
});
