import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent, request } from 'node:http';
import { newResourceId } from '@fairlead/shared/contract/ids';
import { enrolCrowd, type Member } from '@fairlead/e2e/rig/crowd';
import { raiseRelay, type LoneRelay } from '@fairlead/e2e/rig/lone-relay';
import { startServer, until, type Running } from '@fairlead/e2e/rig/processes';
import { script } from '@fairlead/e2e/rig/programs';
import { figureOf, type Figure, type Pair } from './figures.ts';

const CONNECTORS = 5000;
const IDLE_ROUNDS = 2;
const RESTARTS = 3;
const WAITING = 1000;
const WAITING_CONNECTORS = 10;
const WAITING_ROUNDS = 5;
const WINDOW_MS = 6000;
const PATIENCE_MS = 120_000;

const probed = ['--expose-gc', '--import', script('bench-probe')[1]!];

/** What a process holds once its garbage is gone. */
const memoryOf = async (pid: number, file: string): Promise<NodeJS.MemoryUsage> => {
  rmSync(file, { force: true });
  process.kill(pid, 'SIGUSR2');
  await until('the process has collected its garbage', async () => existsSync(file), 30_000);
  return JSON.parse(readFileSync(file, 'utf8')) as NodeJS.MemoryUsage;
};

const upOf = async (clients: Running): Promise<number> =>
  ((await (await fetch(clients.ready['url'] as string)).json()) as { up: number }).up;

const untilUp = (clients: Running, count: number): Promise<unknown> =>
  until(`${count} are connected`, async () => (await upOf(clients)) === count, PATIENCE_MS);

const [node, ...crowdMain] = script('bench-crowd');
/** Thousands of clients in one process: their garbage is nothing that a machine with one connector knows. Both sides have it. */
const ROOMY = ['--max-semi-space-size=64'];

const crowd = (...args: string[]): Promise<Running> =>
  startServer({ name: `crowd ${args[0]}`, argv: [node!, ...ROOMY, ...crowdMain, ...args], timeoutMs: PATIENCE_MS });

/** A server with its clients, ours or the baseline, that can be measured and restarted alike. */
interface Side {
  connect(seed: number): Promise<Running>;
  memory(): Promise<NodeJS.MemoryUsage>;
  restart(meanwhile: () => Promise<void>, end: 'stop' | 'kill'): Promise<void>;
  close(): Promise<void>;
}

const ourSide = (relay: LoneRelay, members: string): Side => ({
  connect: (seed) => crowd('ours', members, String(seed)),
  memory: () => memoryOf(relay.running.pid, join(relay.home, 'memory')),
  restart: (meanwhile, end) => relay.restart(meanwhile, end),
  close: () => relay.close(),
});

const bareSide = async (folder: string, members: string): Promise<Side> => {
  const file = join(folder, 'bare-memory');
  const [program, ...main] = script('bench-crowd');
  const start = (port: string) =>
    startServer({
      name: 'bare server',
      argv: [program!, ...probed, ...main, 'server', members, port],
      env: { MEASURED_MEMORY: file },
      timeoutMs: PATIENCE_MS,
    });
  let server = await start('0');
  const url = server.ready['url'] as string;
  return {
    connect: (seed) => crowd('bare', url, members, String(seed)),
    memory: () => memoryOf(server.pid, file),
    async restart(meanwhile, end) {
      await server[end]();
      await meanwhile();
      server = await start(new URL(url).port);
    },
    close: async () => void (await server.stop()),
  };
};

/** What one idle connection holds: heap and what hangs on it, and resident memory, in KiB. */
const perConnection = async (side: Side, at: number): Promise<{ held: number; resident: number }> => {
  // The first connections warm up what stays for ever.
  const before = await side.memory();
  const clients = await side.connect(at);
  try {
    await untilUp(clients, CONNECTORS);
    const after = await side.memory();
    const held = (of: NodeJS.MemoryUsage) => of.heapUsed + of.external;
    return {
      held: (held(after) - held(before)) / CONNECTORS / 1024,
      resident: (after.rss - before.rss) / CONNECTORS / 1024,
    };
  } finally {
    await clients.stop();
  }
};

/** From the moment that the server is there again until every client is served again, in milliseconds. */
const comingBack = async (side: Side, seed: number, end: 'stop' | 'kill'): Promise<number> => {
  const clients = await side.connect(seed);
  try {
    await untilUp(clients, CONNECTORS);
    await side.restart(() => untilUp(clients, 0).then(() => {}), end);
    const began = performance.now();
    await untilUp(clients, CONNECTORS);
    return performance.now() - began;
  } finally {
    await clients.stop();
  }
};

const interleaved = async <T>(count: number, ours: Side, baseline: Side, measure: (side: Side, at: number) => Promise<T>) => {
  const pairs: { ours: T; baseline: T }[] = [];
  for (let at = 0; at < count; at++) {
    const bare = await measure(baseline, at);
    pairs.push({ baseline: bare, ours: await measure(ours, at) });
  }
  return pairs;
};

/** Raises the relay and the bare server, with so many enrolled machines. */
const withSides = async <T>(note: (text: string) => void, work: (ours: Side, bare: Side) => Promise<T>): Promise<T> => {
  const relay = await raiseRelay(probed, (home) => ({ MEASURED_MEMORY: join(home, 'memory') }));
  try {
    note(`relay: enrolling ${CONNECTORS} connectors`);
    const file = join(relay.home, 'members.json');
    writeFileSync(file, JSON.stringify(await enrolCrowd(relay, CONNECTORS)));
    const bare = await bareSide(relay.home, file);
    try {
      return await work(ourSide(relay, file), bare);
    } finally {
      await bare.close();
    }
  } finally {
    await relay.close();
  }
};

/** What an idle connector costs the relay. */
export const measureIdle = (note: (text: string) => void): Promise<Figure[]> =>
  withSides(note, async (ours, bare) => {
    // The first crowd fills what is filled once: the rows of the instances, compiled code, pools.
    for (const side of [ours, bare]) await perConnection(side, 0);
    const measured = await interleaved(IDLE_ROUNDS, ours, bare, perConnection);
    const pairs = (of: 'held' | 'resident'): Pair[] => measured.map((pair) => ({ ours: pair.ours[of], baseline: pair.baseline[of] }));
    return [
      figureOf('relay memory per idle connector, heap and external after GC', 'KiB', pairs('held'), { atMost: 2 }),
      figureOf('relay memory per idle connector, resident', 'KiB', pairs('resident'), undefined),
    ];
  });

/** How long a restart of the relay keeps its connectors away, and how long its death does, after which all come with their own patience. */
export const measureReconnect = (note: (text: string) => void): Promise<Figure[]> =>
  withSides(note, async (ours, bare) => {
    const after = (end: 'stop' | 'kill') => interleaved(RESTARTS, ours, bare, (side, at) => comingBack(side, at, end));
    return [
      figureOf(`${CONNECTORS} connectors back after a restart of the relay`, 'ms', await after('stop'), { atMost: 1.5 }),
      figureOf(`${CONNECTORS} connectors back after kill -9 of the relay`, 'ms', await after('kill'), undefined),
    ];
  });

/** One planner that waits for a step, again and again, until it is told to go. */
const keepWaiting = async (url: URL, agent: Agent, token: string, first: number, gone: AbortSignal): Promise<void> => {
  for (let wait = first; !gone.aborted; wait = 25_000) {
    await new Promise<void>((resolve) => {
      const sent = request(
        {
          hostname: url.hostname,
          port: url.port,
          path: `${url.pathname}?timeout_ms=${wait}`,
          agent,
          headers: { authorization: `Bearer ${token}` },
        },
        (response) => {
          response.resume();
          response.on('close', resolve);
        },
      );
      const leave = () => sent.destroy();
      gone.addEventListener('abort', leave, { once: true });
      sent.on('error', () => resolve());
      sent.on('close', () => gone.removeEventListener('abort', leave));
      sent.end();
    });
  }
};

/** How late the relay's loop is over some seconds, 99 of 100 times less. */
const lateness = async (relay: LoneRelay): Promise<number> => {
  await relay.admin.call('relay_status', {});
  await new Promise((resolve) => setTimeout(resolve, WINDOW_MS));
  return (await relay.admin.call('relay_status', {})).process.loop_delay_p99_ms;
};

const whileWaiting = async (relay: LoneRelay, members: readonly Member[], token: string): Promise<number> => {
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
  const gone = new AbortController();
  const waits = Array.from({ length: WAITING }, (_, at) => {
    const instance = members[at % members.length]!.descriptors[0]!.instance_id;
    const url = new URL(`${relay.url}/api/v2/steps/${newResourceId('step', instance)}/wait`);
    // They wait 25 s each, and begin at different times: 40 of them return and come again every second.
    return keepWaiting(url, agent, token, 1000 + Math.round((at / WAITING) * 24_000), gone.signal);
  });
  try {
    await until(`${WAITING} planners wait`, async () => (await relay.admin.call('relay_status', {})).pending >= WAITING * 0.95, 60_000);
    return await lateness(relay);
  } finally {
    gone.abort();
    await Promise.all(waits);
    agent.destroy();
  }
};

/** What a thousand waiting planners do to the relay's event loop. */
export const measureWaiting = async (note: (text: string) => void): Promise<Figure[]> => {
  const relay = await raiseRelay();
  const file = join(relay.home, 'members.json');
  try {
    const members = await enrolCrowd(relay, WAITING_CONNECTORS);
    writeFileSync(file, JSON.stringify(members));
    const clients = await crowd('ours', file, '1');
    try {
      const token = await relay.plannerToken();
      note(`relay: ${WAITING} waiting planners`);
      const pairs: Pair[] = [];
      for (let at = 0; at < WAITING_ROUNDS; at++) {
        const baseline = await lateness(relay);
        pairs.push({ baseline: Math.max(0.01, baseline), ours: await whileWaiting(relay, members, token) });
      }
      const figure = figureOf(`relay event-loop delay p99, ${WAITING} waiting planners`, 'ms', pairs, { atMost: 2 });
      // A loop that is never late has no meaningful double: one bucket of 5 ms more counts as the same.
      const within = figure.value - figure.baseline <= 5;
      return [{ ...figure, limit: '<= 2, or 5 ms more', ok: figure.ok || within }];
    } finally {
      await clients.stop();
    }
  } finally {
    await relay.close();
  }
};
