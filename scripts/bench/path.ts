import { startServer, type Running } from '@fairlead/e2e/rig/processes';
import { doTask } from '@fairlead/e2e/rig/planner';
import { script } from '@fairlead/e2e/rig/programs';
import { addFilePatch } from '@fairlead/e2e/rig/repositories';
import type { Stack } from '@fairlead/e2e/rig/stack';
import { figureOf, inPairs, type Figure } from './figures.ts';
import { load, type Load } from './load.ts';

const ANSWER_BYTES = 600;
const ROUNDS = 7;

interface Pipe {
  readonly url: string;
  close(): Promise<void>;
}

/** Raises the bare pipe: three processes, as many as ours. */
const raisePipe = async (size: number): Promise<Pipe> => {
  const started: Running[] = [];
  const start = async (...args: string[]): Promise<Running> => {
    const running = await startServer({ name: `pipe ${args[0]}`, argv: [...script('bench-pipe'), ...args] });
    started.push(running);
    return running;
  };
  const close = async () => {
    for (const running of started.toReversed()) await running.stop();
  };
  try {
    const daemon = await start('daemon', String(size));
    const relay = await start('relay');
    await start('connector', relay.ready['ws_url'] as string, daemon.ready['url'] as string);
    return { url: relay.ready['url'] as string, close };
  } catch (error) {
    await close();
    throw error;
  }
};

/** `get_step` through planner, relay, connector and daemon, against the bare pipe. */
export const measurePath = async (stack: Stack): Promise<Figure[]> => {
  const { step } = await doTask(stack.planner, stack.instances[0]!.id, {
    title: 'Measure',
    patch: addFilePatch('notes/a.txt', 'a'),
    executor: 'patch',
  });
  const address = { url: `${stack.relayUrl}/api/v2/steps/${step.id}`, headers: { authorization: `Bearer ${stack.plannerToken}` } };
  const size = Math.max(ANSWER_BYTES, JSON.stringify(step).length);
  const pipe = await raisePipe(size);
  try {
    const bare = { url: `${pipe.url}/api/v2/steps/${step.id}`, headers: address.headers };
    const many: Pick<Load, 'inFlight' | 'requests'> = { inFlight: 32, requests: 3000 };
    const one: Pick<Load, 'inFlight' | 'requests'> = { inFlight: 1, requests: 500 };
    for (const warm of [address, bare]) await load({ ...warm, ...many, requests: 4000 });
    const throughput = await inPairs(
      ROUNDS,
      async () => (await load({ ...address, ...many })).perSecond,
      async () => (await load({ ...bare, ...many })).perSecond,
    );
    const latency = await inPairs(
      ROUNDS,
      async () => (await load({ ...address, ...one })).p50Ms,
      async () => (await load({ ...bare, ...one })).p50Ms,
    );
    return [
      figureOf('get_step through all parts, 32 in flight', 'per second', throughput, { atLeast: 0.55 }),
      figureOf('get_step through all parts, one in flight, p50', 'ms', latency, { atMost: 1.8 }),
    ];
  } finally {
    await pipe.close();
  }
};
