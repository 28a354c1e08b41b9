import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { OutputOf } from '@fairlead/shared/contract/operations/table';

/** How often the event loop is looked at, in ms; what is measured is how late each look comes. */
const RESOLUTION_MS = 10;

/**
 * Begins to watch this process. The answer tells its memory, and how late its event loop was since it was last asked.
 */
export const watchProcess = (): (() => OutputOf<'daemon_status'>['process']) => {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  return () => {
    const late = Math.max(0, delay.percentile(99) / 1e6 - RESOLUTION_MS);
    delay.reset();
    return { memory_bytes: process.memoryUsage.rss(), loop_delay_p99_ms: Number.isFinite(late) ? Math.round(late * 100) / 100 : 0 };
  };
};
