import { randomUUID } from 'node:crypto';
import { Agent, get } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { downloadElsewhere } from '../rig/downloads.ts';
import { doTask } from '../rig/planner.ts';
import { raiseStack, type Stack } from '../rig/stack.ts';

const QUESTIONS = 300;
/** How much longer the quiet one may wait because of the noisy one. Three processes on few cores share more than a line. */
const SLOWER = 15;
/** Below this, in ms, what the scheduler of a busy machine does weighs more than what we do. */
const FLOOR = 10;
const NOISY_IN_FLIGHT = 100;
const NOISY_STEPS = 40;

const p99 = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)]!;

/** DESIGN 5: multiplexed and fair between instances; one that moves much, or a planner that asks much, does not starve the others. */
describe('fairness', () => {
  let stack: Stack;
  let stepIds: string[];
  const [noisy, quiet] = [0, 1] as const;

  beforeAll(async () => {
    stack = await raiseStack({
      instances: 2,
      config:
        'parallelism: 2\ncommands:\n  nap: { run: [sleep, "1"] }\n  big: { run: [sh, -c, "head -c 67108864 /dev/urandom > $FAIRLEAD_OUT/big.bin"] }\n',
      env: { FAIRLEAD_RELAY_PLANNER_RATE: '100000000' },
    });
    const done = [];
    for (const { id } of stack.instances) done.push(await doTask(stack.planner, id, { title: 'Big', executor: 'command.big' }));
    stepIds = done.map(({ step }) => step.id);
  }, 300_000);
  afterAll(() => stack?.close());

  const tokenFor = async (): Promise<string> =>
    (await stack.admin.call('create_planner_token', { name: 'another' }, { idempotencyKey: randomUUID() })).secret;

  const fetchOnce = (path: string, token: string, agent: Agent): Promise<number> =>
    new Promise((resolve, reject) => {
      get(`${stack.relayUrl}/api/v2${path}`, { agent, headers: { authorization: `Bearer ${token}` } }, (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
        response.on('error', reject);
      }).on('error', reject);
    });

  /** How long the quiet one's questions take, one after the other. */
  const quietTimes = async (): Promise<number[]> => {
    const agent = new Agent({ keepAlive: true });
    const times: number[] = [];
    for (let at = 0; at < QUESTIONS; at++) {
      const began = performance.now();
      expect(await fetchOnce(`/steps/${stepIds[quiet]}`, stack.plannerToken, agent)).toBe(200);
      times.push(performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    agent.destroy();
    return times;
  };

  /** The same while something is done without end, in so many copies. */
  const beside = async (copies: number, noise: (agent: Agent) => Promise<unknown>): Promise<number[]> => {
    const agent = new Agent({ keepAlive: true, maxSockets: copies });
    const lasting = { over: false };
    const going = Array.from({ length: copies }, async () => {
      while (!lasting.over) await noise(agent);
    });
    try {
      return await quietTimes();
    } finally {
      lasting.over = true;
      await Promise.all(going);
      agent.destroy();
    }
  };

  const judge = (alone: number[], busy: number[]): string => {
    const told = `p99 ${p99(busy).toFixed(1)} ms beside the noise, ${p99(alone).toFixed(1)} ms alone`;
    expect(p99(busy), told).toBeLessThan(SLOWER * Math.max(FLOOR, p99(alone)));
    return told;
  };

  it('on the wire: an instance that sends large artifacts does not hold up the questions to another', async ({ annotate }) => {
    const { items } = await stack.planner.call('list_artifacts', { step_id: stepIds[noisy]! });
    const artifact = items.find(({ name }) => name.endsWith('big.bin'))!;
    const alone = await quietTimes();
    const url = `${stack.relayUrl}/api/v2/artifacts/${artifact.id}/content`;
    const noise = downloadElsewhere(url, stack.plannerToken, { copies: 4 });
    const busy = await quietTimes().finally(() => noise.stop());
    await annotate(judge(alone, busy));
    expect(new Set(await noise.digests)).toEqual(new Set([artifact.sha256]));
  });

  it('at the relay: a planner that floods an instance does not hold up another planner at another one', async ({ annotate }) => {
    const token = await tokenFor();
    const alone = await quietTimes();
    const busy = await beside(NOISY_IN_FLIGHT, (agent) => fetchOnce(`/steps/${stepIds[noisy]}`, token, agent));
    await annotate(judge(alone, busy));
  });

  it('in the daemon: a step of a quiet instance does not wait behind the queue of a noisy one', async ({ annotate }) => {
    const submit = async (instance: string, title: string): Promise<string> => {
      const run = await stack.operator.call('start_run', { instance_id: instance, title }, { idempotencyKey: randomUUID() });
      const task = { title, executor: 'command.nap', expects: 'answer' as const };
      return (await stack.operator.call('submit_task', { run_id: run.id, task }, { idempotencyKey: randomUUID() })).id;
    };
    for (let at = 0; at < NOISY_STEPS; at++) await submit(stack.instances[noisy]!.id, `Noisy ${at}`);
    const stepId = await submit(stack.instances[quiet]!.id, 'Quiet');
    let cursor: string | undefined;
    for (;;) {
      const waited = await stack.operator.call('wait_step', {
        step_id: stepId,
        timeout_ms: 20_000,
        ...(cursor !== undefined && { cursor }),
      });
      if (waited.step.ended) break;
      cursor = waited.next_cursor;
    }
    const { steps } = await stack.operator.call('daemon_status', {});
    // In its turn it starts next but for those that run already; behind the queue it would be the last of all.
    expect(steps.queued).toBeGreaterThan(NOISY_STEPS / 2);
    await annotate(`${steps.queued} of ${NOISY_STEPS} noisy steps still waited when the quiet one was done`);
  });
});
