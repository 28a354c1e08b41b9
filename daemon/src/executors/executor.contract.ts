import { expect, it } from 'vitest';
import { OUTCOMES } from '@fairlead/shared/contract/states';
import type { Executor, ExecutorOrder, ExecutorReport } from './executor.ts';

/** One executor under test, with an order that it can carry out. */
export interface ContractSubject {
  readonly executor: Executor;
  /** A fresh order; `signal` is the attempt's. */
  readonly order: (signal: AbortSignal) => Promise<ExecutorOrder>;
}

const silentReport = (): ExecutorReport & { readonly bytes: () => number; readonly pids: number[] } => {
  let bytes = 0;
  const pids: number[] = [];
  return {
    pids,
    bytes: () => bytes,
    started: async ({ pid }) => void pids.push(pid),
    output: (chunk) => void (bytes += chunk.length),
    activity: () => undefined,
    permission: async () => ({ allowed: false, rule: 'test', reason: 'Nobody is asked here' }),
    session: () => undefined,
    usage: () => undefined,
  };
};

/** What holds for every executor. Call it inside a `describe`. */
export const executorContract = (subject: () => Promise<ContractSubject>): void => {
  it('has a flat id and says what it needs', async () => {
    const { executor } = await subject();
    expect(executor.id).toMatch(/^[a-z][a-z0-9_-]{0,31}(\.[a-z0-9][a-z0-9_-]{0,63})?$/);
    expect(executor.description).not.toBe('');
    if (executor.needs === 'store') expect(executor.runs_code).toBe(false);
    if (executor.runs_code) expect(executor.replayable).toBe(false);
  });

  it('answers one of the outcomes, and no step state', async () => {
    const { executor, order } = await subject();
    const result = await executor.execute(await order(new AbortController().signal), silentReport());
    expect(OUTCOMES).toContain(result.outcome);
    if (result.outcome === 'refused' || result.outcome === 'crashed') expect(result.reason?.message).toBeTruthy();
    if (executor.needs === 'store' && result.outcome === 'finished') expect(result.tree).toMatch(/^[0-9a-f]{40,64}$/);
    if (executor.needs === 'workspace') expect(result.tree).toBeUndefined();
  });

  it.each(['cancel', 'timeout'] as const)('does not begin when it is stopped before (%s)', async (reason) => {
    const { executor, order } = await subject();
    const stop = new AbortController();
    stop.abort(reason);
    const report = silentReport();
    const result = await executor.execute(await order(stop.signal), report);
    expect(result.outcome).toBe(reason === 'cancel' ? 'cancelled' : 'timed_out');
    expect(report.pids).toEqual([]);
    expect(report.bytes()).toBe(0);
  });

  it('does the same again, if it says that it is replayable', async () => {
    const { executor, order } = await subject();
    if (!executor.replayable) return;
    const once = await executor.execute(await order(new AbortController().signal), silentReport());
    const again = await executor.execute(await order(new AbortController().signal), silentReport());
    expect(again).toEqual(once);
  });
};
