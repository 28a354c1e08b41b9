import { randomUUID } from 'node:crypto';
import { closeOnSignal, raiseStack, type Stack } from '@fairlead/e2e/rig/stack';
import { figureOf, type Figure } from './figures.ts';

const AT_ONCE = 64;
const SECONDS = 30;

/** Talks as a build does, until its time is over. */
const PROGRAM = `
const end = Date.now() + ${SECONDS} * 1000;
const talk = setInterval(() => { console.log('line of output '.repeat(8)); if (Date.now() > end) clearInterval(talk); }, 100);
`;

const CONFIG = `parallelism: ${AT_ONCE}
commands:
  busy: { run: [node, -e, ${JSON.stringify(PROGRAM)}] }
`;

const memoryOf = async ({ operator }: Stack): Promise<number> =>
  (await operator.call('daemon_status', {})).process.memory_bytes / 1024 / 1024;

const submit = async ({ operator, instances }: Stack): Promise<void> => {
  const run = await operator.call('start_run', { instance_id: instances[0]!.id, title: 'Busy' }, { idempotencyKey: randomUUID() });
  const task = { title: 'Busy', executor: 'command.busy', expects: 'answer' as const };
  await operator.call('submit_task', { run_id: run.id, task }, { idempotencyKey: randomUUID() });
};

/** What 64 steps in flight cost the daemon in memory, at the highest. Only reported. */
export const measureBusy = async (note: (text: string) => void): Promise<Figure[]> => {
  const stack = await raiseStack({ config: CONFIG });
  closeOnSignal(stack);
  try {
    const idle = await memoryOf(stack);
    note(`busy: ${AT_ONCE} steps in flight`);
    await Promise.all(Array.from({ length: AT_ONCE }, () => submit(stack)));
    let peak = 0;
    let most = 0;
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      peak = Math.max(peak, await memoryOf(stack));
      const { steps } = await stack.operator.call('daemon_status', {});
      most = Math.max(most, steps.active);
      if (steps.active + steps.queued === 0) break;
    }
    return [figureOf(`peak memory of the daemon, ${most} steps in flight`, 'MiB', [{ ours: peak, baseline: idle }], undefined)];
  } finally {
    await stack.close();
  }
};
