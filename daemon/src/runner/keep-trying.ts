import { FairleadError } from '@fairlead/shared/contract/errors';
import { createBackoff } from '@fairlead/shared/kit/backoff';
import type { RunnerDeps } from './scope.ts';

/** The first wait is at most this long, and none is longer than the cap. In ms; a disk is not filled and freed faster. */
const WAITS = { base: 250, cap: 15_000 };

/** What the ledger itself refuses stays refused; a full disk, or whatever else keeps it from writing, may pass. */
const passes = (error: unknown): boolean =>
  !(error instanceof FairleadError) || error.code === 'disk_full' || error.code === 'store_unwritable';

/**
 * Writes to the ledger until it is written, with growing waits between the tries. Answers undefined when `closing` came first: the next
 * start then finds the rows as they are.
 * @throws FairleadError what the ledger refuses, at once
 */
export const keepTrying = async <T>(
  { clock, log }: Pick<RunnerDeps, 'clock' | 'log'>,
  closing: AbortSignal,
  stepId: string,
  write: () => Promise<T>,
): Promise<T | undefined> => {
  const backoff = createBackoff(WAITS);
  while (!closing.aborted) {
    try {
      return await write();
    } catch (error) {
      if (!passes(error)) throw error;
      log.error({ err: error, step: stepId }, 'the ledger cannot be written; trying again');
      await clock.sleep(backoff.next(), closing).catch(() => undefined);
    }
  }
  return undefined;
};
