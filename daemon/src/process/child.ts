import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { execa } from 'execa';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { systemClock } from '@fairlead/shared/kit/clock';
import type { ConfinedEnd, ConfinedOrder, ConfinedProcess, Places } from './confined.ts';
import { mountsOf } from './places.ts';
import { nameProcess, waitGone } from './process-table.ts';
import { diskWatch, limitsOf, type Exceeded } from './usage.ts';

/** How one kind of confinement ends what it started. */
export interface Ending {
  /** Asks everything to end. */
  term(): Promise<void>;
  /** Ends everything. */
  kill(): Promise<void>;
  /** Whether nothing is left. */
  gone(): Promise<boolean>;
}

export interface ChildOrder {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** A process group of its own, for what has no pid namespace. */
  readonly detached: boolean;
  /** Makes descriptor 3 a pipe that the program writes to, and says what ends what it has to say there. */
  readonly info?: RegExp;
  /** An open file of ours that is the program's descriptor 4. */
  readonly file4?: number;
}

/** A started child. Everything that it says is listened to from its first moment: Node throws away what nobody reads when a child ends. */
export interface Launched {
  readonly child: ChildProcess;
  /** Bytes of output that were dropped so far. */
  readonly dropped: () => number;
  /** Resolves when so much was dropped that the program counts as running away. */
  readonly flooded: Promise<void>;
  readonly exited: Promise<Exit>;
  /** What was written to descriptor 3, up to what ends it or until nobody can write there any more. */
  readonly info: Promise<string>;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

const readInfo = (stream: Readable | null | undefined, end: RegExp | undefined): Promise<string> =>
  new Promise((resolve) => {
    if (!stream || !end) return resolve('');
    let text = '';
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      // Somebody may hold the descriptor for as long as the program runs.
      if (end.test(text)) resolve(text);
    });
    stream.once('close', () => resolve(text));
    stream.once('error', () => resolve(text));
  });

/** Starts a child; rejects when the program cannot be executed. */
export const launchChild = (order: ChildOrder, output: ConfinedOrder['output']): Promise<Launched> => {
  const child = execa(order.file, order.args, {
    cwd: order.cwd,
    env: order.env,
    extendEnv: false,
    detached: order.detached,
    // A descriptor may have any number, but the types of execa know only the first few.
    stdio: ['pipe', 'pipe', 'pipe', ...(order.info ? (['pipe'] as const) : []), ...(order.file4 === undefined ? [] : [order.file4 as 3])],
    // Output is counted and passed on here, its end and all signals are followed here; execa only starts the program.
    buffer: false,
    encoding: 'buffer',
    reject: false,
    cleanup: false,
    forceKillAfterDelay: false,
  });
  child.stdin?.on('error', () => undefined);
  const exited = new Promise<Exit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  const launched = { child, ...passOutput(child, output), exited, info: readInfo(child.stdio[3], order.info) };
  return new Promise((resolve, reject) => {
    child.once('spawn', () => resolve(launched));
    // Without a pid it never ran: not found, no descriptors left, arguments too long.
    void child.then(({ cause }) => child.pid === undefined && reject(cause as Error));
  });
};

/** Passes output on up to the limit for both streams together, and counts what is dropped. */
const passOutput = (child: ChildProcess, output: ConfinedOrder['output']): Pick<Launched, 'dropped' | 'flooded'> => {
  let left: number = LIMITS.output_captured.value;
  let dropped = 0;
  let flood = (): void => undefined;
  const flooded = new Promise<void>((resolve) => (flood = resolve));
  const pass = (stream: Readable, from: 'stdout' | 'stderr') => {
    stream.on('data', (chunk: Buffer) => {
      const kept = chunk.subarray(0, left);
      left -= kept.length;
      dropped += chunk.length - kept.length;
      if (dropped > LIMITS.output_flood.value) flood();
      if (kept.length > 0) output(kept, from);
    });
    stream.on('error', () => undefined);
  };
  pass(child.stdout!, 'stdout');
  pass(child.stderr!, 'stderr');
  return { dropped: () => dropped, flooded };
};

/** How long the pipes may stay open after everything is gone; what still holds them then is not ours. */
const PIPES_MS = 2_000;

const whenClosed = async (child: ChildProcess): Promise<void> => {
  const streams = [child.stdout!, child.stderr!];
  const closed = Promise.all(
    streams.map((stream) =>
      stream.closed || stream.destroyed ? Promise.resolve() : new Promise<void>((resolve) => stream.once('close', () => resolve())),
    ),
  );
  const timer = new AbortController();
  const late = systemClock.sleep(PIPES_MS, timer.signal).catch(() => undefined);
  await Promise.race([closed, late]);
  timer.abort();
  for (const stream of streams) stream.destroy();
};

/** TERM, then KILL after the grace, then a look whether all is gone. */
const stopAll = async (ending: Ending, exited: Promise<Exit>): Promise<boolean> => {
  await ending.term();
  if (await waitGone(() => ending.gone(), LIMITS.stop_grace.value, exited)) return true;
  return killAll(ending, exited);
};

const killAll = async (ending: Ending, exited: Promise<Exit>): Promise<boolean> => {
  // Again and again, because what is killed may have started something in between.
  return waitGone(
    async () => {
      if (await ending.gone()) return true;
      await ending.kill();
      return false;
    },
    LIMITS.stop_confirm.value,
    exited,
  );
};

/** Writes one chunk and waits until it is on its way or can never be; the stream calls back in both cases. */
const writeTo = (stdin: Writable, chunk: string | Uint8Array): Promise<void> =>
  new Promise((resolve) => {
    if (stdin.destroyed || stdin.writableEnded) return resolve();
    stdin.write(chunk, () => resolve());
  });

/** What following a child needs to know beyond the order. */
export interface Following {
  readonly places: Places;
  /** Reads the exit of the outermost process; where that is a wrapper, its words for the end of what it wraps. */
  readonly exitOf?: (exit: Exit) => Exit;
  /** Looks at what the order uses up at this moment; asked again and again. */
  readonly look?: () => Promise<Exceeded | undefined>;
  /** Whether the kernel ended it for want of memory; asked once nothing runs any more. */
  readonly outOfMemory?: () => Promise<boolean>;
  /** Runs last, such as removing a throw-away home. */
  readonly cleaned?: () => Promise<void>;
}

/** Looks at each interval, until something is exceeded or the signal ends it. */
const watch = async (looks: readonly (() => Promise<Exceeded | undefined>)[], signal: AbortSignal): Promise<Exceeded | undefined> => {
  for (let round = 0; ; round += 1) {
    await systemClock.sleep(LIMITS.confined_look.value, signal).catch(() => undefined);
    if (signal.aborted) return undefined;
    for (const [at, look] of looks.entries()) {
      // The disk is looked at less often than what can run away between two looks.
      const due = at === 0 || round % DISK_ROUNDS === 0;
      const exceeded = due ? await look() : undefined;
      if (exceeded) return exceeded;
    }
  }
};

const DISK_ROUNDS = 5;

const placesOnDisk = (order: ConfinedOrder): string[] =>
  mountsOf(order)
    .filter(({ writable }) => writable)
    .map(({ from }) => from);

/** Follows a child to its end, and beyond it until nothing that it started is left. */
export const followChild = async (
  { child, dropped, flooded, exited }: Launched,
  order: ConfinedOrder,
  ending: Ending,
  { places, exitOf = (exit) => exit, look = async () => undefined, outOfMemory, cleaned }: Following,
): Promise<ConfinedProcess> => {
  const name = await nameProcess(child.pid!);
  const stdin = child.stdin!;
  if (order.stdin !== 'open') stdin.end(order.stdin);
  let timed_out = false;
  let exceeded: Exceeded | null = null;
  let stopping: Promise<boolean> | undefined;
  let stopped = (): void => undefined;
  // A process that cannot be killed must not hold its step for ever: the end of the stop ends the wait as well.
  const stopEnded = new Promise<void>((resolve) => (stopped = resolve));
  const begin = (how: typeof stopAll): void => {
    if (stopping) return;
    stopping = how(ending, exited);
    void stopping.then(stopped);
  };
  const cancelTimer = systemClock.after(order.timeout_ms, () => {
    timed_out = !stopping;
    begin(stopAll);
  });
  const over = new AbortController();
  // What runs away is killed at once: the grace of a stop would be time to take the rest.
  const runAway = (what: Exceeded): void => {
    if (stopping || over.signal.aborted) return;
    exceeded = what;
    begin(killAll);
  };
  void watch([look, diskWatch(placesOnDisk(order), limitsOf(order.limits).disk)], over.signal).then((what) => what && runAway(what));
  void flooded.then(() => runAway('output'));
  const follow = async (): Promise<ConfinedEnd> => {
    await Promise.race([exited, stopEnded]);
    over.abort();
    cancelTimer();
    const asked = stopping;
    const gone = await (asked ?? killAll(ending, exited));
    await (gone ? whenClosed(child) : undefined);
    for (const stream of [stdin, child.stdout!, child.stderr!]) stream.destroy();
    const oom = (await outOfMemory?.()) ?? false;
    await cleaned?.();
    const exit = gone ? exitOf(await exited) : { code: child.exitCode, signal: child.signalCode };
    const ended = gone ? (asked ? 'confirmed' : 'by_itself') : 'unconfirmed';
    return {
      exit_code: exit.code,
      signal: exit.signal,
      timed_out,
      stopped: ended,
      dropped: dropped(),
      exceeded: exceeded ?? (oom ? 'memory' : null),
      killed_by: asked ? 'fairlead' : exit.signal === null ? null : oom ? 'oom' : 'other',
    };
  };
  const ended = follow();
  return {
    pid: name.pid,
    started: name.started,
    places,
    ended,
    write: (chunk) => writeTo(stdin, chunk),
    endInput: () => void stdin.end(),
    stop() {
      begin(stopAll);
      return ended;
    },
  };
};
