import { randomBytes as bytes } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ProcessHealth } from '../contract/values.ts';

/** Time as the rest of the code sees it, so that tests can move it. */
export interface Clock {
  /** Wall time in milliseconds since the epoch. It can jump; never measure with it. */
  now(): number;
  /** Milliseconds on a clock that never goes back; only differences mean anything. */
  monotonic(): number;
  /** Resolves after `ms`, or rejects with the signal's reason as soon as it is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `fn` once after `ms`; the answer cancels it. A pending timer keeps the process alive. */
  after(ms: number, fn: () => void): () => void;
}

const sleepWith = (after: Clock['after'], ms: number, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const abort = () => {
      cancel();
      reject(signal!.reason as Error);
    };
    const cancel = after(ms, () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    });
    signal?.addEventListener('abort', abort, { once: true });
  });

const realAfter: Clock['after'] = (ms, fn) => {
  // setTimeout fires at once for delays beyond 2^31 - 1 ms; such a timer may as well wait for the longest delay there is.
  const timer = setTimeout(fn, Math.min(ms, 2_147_483_647));
  return () => clearTimeout(timer);
};

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: realAfter,
  sleep: (ms, signal) => sleepWith(realAfter, ms, signal),
};

/** RFC 3339 in UTC with milliseconds, as every resource shows times. */
export const isoTime = (ms: number): string => new Date(ms).toISOString();

/** Random bytes that are fit for secrets and nonces. */
export const randomBytes = (count: number): Buffer => bytes(count);

/** A random number from 0 up to but not including 1. */
export const randomUnit = (): number => bytes(6).readUIntBE(0, 6) / 2 ** 48;

/** How often the event loop is looked at, in ms; what is measured is how late each look comes. */
const RESOLUTION_MS = 10;

/** Begins to watch this process. The answer tells its memory, and how late its event loop was since it was last asked. */
export const watchProcess = (): (() => ProcessHealth) => {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  return () => {
    const late = Math.max(0, delay.percentile(99) / 1e6 - RESOLUTION_MS);
    delay.reset();
    return { memory_bytes: process.memoryUsage.rss(), loop_delay_p99_ms: Number.isFinite(late) ? Math.round(late * 100) / 100 : 0 };
  };
};

/** A clock that stands still until a test moves it. */
export interface ManualClock extends Clock {
  /** Moves time on and fires what falls due, in order; await it, so that what a timer woke has run too. */
  advance(ms: number): Promise<void>;
}

/** A clock for tests. @param start wall time in milliseconds since the epoch */
export const manualClock = (start = Date.UTC(2026, 0, 1)): ManualClock => {
  let elapsed = 0;
  const timers = new Set<{ readonly at: number; readonly fn: () => void }>();
  const after: Clock['after'] = (ms, fn) => {
    const timer = { at: elapsed + Math.max(0, ms), fn };
    timers.add(timer);
    return () => timers.delete(timer);
  };
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    now: () => start + elapsed,
    monotonic: () => elapsed,
    after,
    sleep: (ms, signal) => sleepWith(after, ms, signal),
    async advance(ms) {
      const until = elapsed + ms;
      for (;;) {
        const due = [...timers].filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
        if (!due) break;
        elapsed = due.at;
        timers.delete(due);
        due.fn();
        await settle();
      }
      elapsed = until;
      await settle();
    },
  };
};
