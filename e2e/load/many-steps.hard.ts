import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { raiseStack, type Stack } from '../rig/stack.ts';

const AT_ONCE = 64;
const MINUTES = 10;
const MIB = 1024 * 1024;
/** What the memory of a daemon that does the same all the time may differ between the second minute and the last. */
const DRIFT = 0.15;

const PROGRAM = `
const end = Date.now() + ${MINUTES} * 60_000;
const talk = setInterval(() => { console.log('line of output '.repeat(8)); if (Date.now() > end) clearInterval(talk); }, 250);
`;

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** DESIGN 7: a daemon does as many steps at once as its owner allows, and its memory does not grow with their time. */
describe('64 steps in flight', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await raiseStack({
      // No checks: what is measured is the work.
      project: { 'a.txt': 'a\n' },
      config: `parallelism: ${AT_ONCE}\ncommands:\n  busy: { run: [node, -e, ${JSON.stringify(PROGRAM)}] }\n`,
    });
  }, 120_000);
  afterAll(() => stack?.close());

  it('run at the same time in memory that stays flat for ten minutes, and all end well', async ({ annotate }) => {
    const { operator, instances } = stack;
    const status = () => operator.call('daemon_status', {});
    const idle = (await status()).process.memory_bytes / MIB;
    const runs = await Promise.all(
      Array.from({ length: AT_ONCE }, () =>
        operator.call('start_run', { instance_id: instances[0]!.id, title: 'Busy' }, { idempotencyKey: randomUUID() }),
      ),
    );
    const task = { title: 'Busy', executor: 'command.busy', expects: 'answer' as const };
    const steps = await Promise.all(
      runs.map(({ id }) => operator.call('submit_task', { run_id: id, task }, { idempotencyKey: randomUUID() })),
    );
    const seen: { at: number; memory: number }[] = [];
    let most = 0;
    const began = performance.now();
    for (;;) {
      const now = await status();
      most = Math.max(most, now.steps.active);
      if (now.steps.active === AT_ONCE) seen.push({ at: performance.now() - began, memory: now.process.memory_bytes / MIB });
      if (now.steps.active + now.steps.queued === 0) break;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    expect(most).toBe(AT_ONCE);
    const ended = await Promise.all(steps.map(({ id }) => operator.call('get_step', { step_id: id })));
    expect(ended.map(({ state }) => state).filter((state) => !state.startsWith('completed'))).toEqual([]);
    const end = seen.at(-1)!.at;
    const early = median(seen.filter(({ at }) => at > 60_000 && at < 180_000).map(({ memory }) => memory));
    const late = median(seen.filter(({ at }) => at > end - 120_000).map(({ memory }) => memory));
    const told = `${Math.round(early)} MiB in the second minute, ${Math.round(late)} MiB in the last, ${Math.round(idle)} MiB idle`;
    expect(late, told).toBeLessThan(early * (1 + DRIFT));
    await annotate(`${AT_ONCE} steps in flight`, 'count');
    await annotate(told);
  });
});
