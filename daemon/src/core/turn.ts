import type { AttemptRecord } from './records.ts';

/**
 * Whose turn it is: the executor of a step's next attempt. The one that was asked for, unless the task allows others: then, after each
 * attempt that reached a limit, the one after it in the task's list, and after the last the first again.
 * @param list the executor that was asked for, then those that the task allows @param attempts of the step, oldest first
 */
export const executorOfAttempt = (list: readonly string[], attempts: readonly Pick<AttemptRecord, 'state'>[]): string => {
  const last = attempts.findLastIndex(({ state }) => state !== 'quota');
  return list[(attempts.length - 1 - last) % list.length]!;
};

/** Whether the task allows another executor right after this attempt, which reached its limit. */
export const hasNextExecutor = (list: readonly string[], attempts: readonly Pick<AttemptRecord, 'state'>[]): boolean =>
  list.length > 1 && executorOfAttempt(list, attempts) !== list[0];
