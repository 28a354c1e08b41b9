import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { randomUUID } from 'node:crypto';
import { doTask, followStep } from '@fairlead/e2e/rig/planner';
import { script } from '@fairlead/e2e/rig/programs';
import { startServer } from '@fairlead/e2e/rig/processes';
import { raiseStack, type Stack } from '@fairlead/e2e/rig/stack';
import { figureOf, inPairs, type Figure } from './figures.ts';

const ITEMS = 60_000;
const ACTIVITY_ROUNDS = 7;
const STOP_ROUNDS = 7;
const AT_ONCE = 8;

/** A program of one file that stands for the agent's: what is measured is everything around it. */
const agentProgram = (folder: string): string => {
  const path = join(folder, 'claude.mjs');
  const [node, file] = script('bench-agent');
  // Alone in its file, because nothing but the program is there in the sandbox.
  writeFileSync(path, `#!${node}\n${readFileSync(file!, 'utf8').replace(/^#!.*\n/, '')}`);
  chmodSync(path, 0o755);
  return path;
};

const config = (program: string): string => `parallelism: ${AT_ONCE}
agents:
  claude:
    program: ${program}
    profiles:
      default: { approval: auto, credential: { env: FAIRLEAD_BENCH_KEY }, base_url: "http://127.0.0.1:9" }
`;

const task = (goal: string) => ({ title: 'Measure', goal, executor: 'claude', expects: 'answer' as const });

const submit = async ({ operator, instances }: Stack, goal: string): Promise<string> => {
  const run = await operator.call('start_run', { instance_id: instances[0]!.id, title: 'Measure' }, { idempotencyKey: randomUUID() });
  return (await operator.call('submit_task', { run_id: run.id, task: task(goal) }, { idempotencyKey: randomUUID() })).id;
};

/** Counts lines as they come, from the first to the last; answers how many a second. */
const rateOf = async (lines: AsyncIterable<unknown>, count: number): Promise<number> => {
  let seen = 0;
  let began = 0;
  for await (const _ of lines) {
    if (seen++ === 0) began = performance.now();
    if (seen >= count) break;
  }
  if (seen < count) throw new Error(`Only ${seen} of ${count} lines came`);
  return ((seen - 1) / (performance.now() - began)) * 1000;
};

/** The events of a stream that carry activity texts. */
async function* texts(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of bytes) {
    rest += decoder.decode(chunk, { stream: true });
    const blocks = rest.split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) if (block.includes('"kind":"text"')) yield block;
  }
}

/** What an agent says, as a planner who subscribed at the relay hears it. */
const activityRate = async (stack: Stack): Promise<number> => {
  const stepId = await submit(stack, `say ${ITEMS}`);
  const response = await fetch(`${stack.relayUrl}/api/v2/steps/${stepId}/logs`, {
    headers: { authorization: `Bearer ${stack.plannerToken}`, accept: 'text/event-stream' },
  });
  const rate = await rateOf(texts(response.body as unknown as AsyncIterable<Uint8Array>), ITEMS);
  await followStep(stack.planner, stepId);
  return rate;
};

const lineIs = (child: ChildProcess): AsyncIterable<string> => createInterface({ input: child.stdout! });

/** The same program through a bare pipe of as many processes: its lines -> HTTP -> websocket -> HTTP -> a reader that parses each. */
const bareRate = async (): Promise<number> => {
  const relay = await startServer({ name: 'stream relay', argv: [...script('bench-stream'), 'relay'] });
  const connector = await startServer({
    name: 'stream connector',
    argv: [...script('bench-stream'), 'connector', relay.ready['ws_url'] as string, ...script('bench-agent'), 'bare', String(ITEMS)],
  });
  try {
    const response = await fetch(relay.ready['url'] as string);
    return await rateOf(parsedLines(response.body as unknown as AsyncIterable<Uint8Array>), ITEMS);
  } finally {
    await connector.stop();
    await relay.stop();
  }
};

async function* parsedLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of bytes) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield JSON.parse(line);
  }
}

/** From the request to cancel to the event that says that nothing runs any more. */
const stopTime = async (stack: Stack): Promise<number> => {
  const stepId = await submit(stack, 'hold');
  let cursor: string | undefined;
  for (;;) {
    const page = await stack.operator.call('get_step_logs', { step_id: stepId, limit: 50, ...(cursor !== undefined && { cursor }) });
    if (page.items.some(({ kind, ['text']: said }) => kind === 'text' && said === 'holding')) break;
    if (page.ended) throw new Error('The agent ended before it was stopped');
    cursor = page.next_cursor ?? undefined;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  // `step.executed` stands in the transaction that ends the attempt: it is written once every process is confirmed gone.
  const { cursor: from } = await stack.operator.call('get_instance', { instance_id: stack.instances[0]!.id });
  const gone = (async () => {
    let at = from;
    for (;;) {
      const waited = await stack.operator.call('wait_step', { step_id: stepId, cursor: at, timeout_ms: 20_000 });
      if (waited.events.some(({ type }) => type === 'step.executed')) return performance.now();
      at = waited.next_cursor;
    }
  })();
  const began = performance.now();
  await stack.operator.call('cancel_step', { step_id: stepId }, { idempotencyKey: randomUUID() });
  const ended = await gone;
  await followStep(stack.planner, stepId);
  return ended - began;
};

const isGroupAlive = (pid: number): boolean => {
  try {
    return process.kill(-pid, 0);
  } catch {
    return false;
  }
};

/** From TERM to the same program, started bare in a group of its own, to the end of its group. */
const bareStopTime = async (home: string): Promise<number> => {
  const [file, ...args] = script('bench-agent');
  const child = spawn(file!, [...args, 'bare-hold'], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, HOME: home },
  });
  for await (const line of lineIs(child)) if (line.includes('holding')) break;
  const began = performance.now();
  process.kill(-child.pid!, 'SIGTERM');
  while (isGroupAlive(child.pid!)) await new Promise((resolve) => setTimeout(resolve, 1));
  return performance.now() - began;
};

/** Eight agents that all talk: what they cost the daemon. Only reported. */
const eightAtOnce = async (stack: Stack): Promise<Figure[]> => {
  const before = await stack.operator.call('daemon_status', {});
  await Promise.all(Array.from({ length: AT_ONCE }, () => doTask(stack.planner, stack.instances[0]!.id, task('say 5000'), 180_000)));
  const after = await stack.operator.call('daemon_status', {});
  const [idle, busy] = [before.process, after.process];
  const MiB = 1024 * 1024;
  return [
    figureOf(
      'daemon memory after eight agents at once',
      'MiB',
      [{ ours: busy.memory_bytes / MiB, baseline: idle.memory_bytes / MiB }],
      undefined,
    ),
    figureOf(
      'daemon event-loop delay p99 with eight agents',
      'ms',
      [{ ours: busy.loop_delay_p99_ms, baseline: Math.max(0.01, idle.loop_delay_p99_ms) }],
      undefined,
    ),
  ];
};

/** What agents cost: their activity on its way to a planner, their end, and eight of them at once. */
export const measureAgents = async (note: (text: string) => void): Promise<Figure[]> => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-agent-'));
  const stack = await raiseStack({ config: config(agentProgram(folder)), env: { FAIRLEAD_BENCH_KEY: 'bench-key-of-no-worth' } });
  try {
    note('agents: warming up');
    await activityRate(stack);
    note('agents: activity');
    const activity = await inPairs(ACTIVITY_ROUNDS, () => activityRate(stack), bareRate);
    note('agents: stops');
    const stops = await inPairs(
      STOP_ROUNDS,
      () => stopTime(stack),
      () => bareStopTime(folder),
    );
    note(`agents: ${AT_ONCE} at once`);
    return [
      figureOf('activity from agent to subscribed planner', 'per second', activity, { atLeast: 0.5 }),
      figureOf('cancel to confirmed stop', 'ms', stops, { atMost: 1.5 }),
      ...(await eightAtOnce(stack)),
    ];
  } finally {
    await stack.close();
    rmSync(folder, { recursive: true, force: true });
  }
};
