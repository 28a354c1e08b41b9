const DAY = 86_400_000;

/** Below this a delegation is renewed soon after a start: a machine that is on for some hours a day must not always miss its time. */
const SHORT = 10 * DAY;

/** Never asked for more often than this, so that a daemon which answers short-lived delegations is not asked in a circle. */
export const RENEWAL_PAUSE = 60_000;

/** How long after a renewal that failed the next one is tried. */
export const RENEWAL_RETRY = 5 * 60_000;

/**
 * How long to wait before a delegation is renewed, in milliseconds. One that was just renewed waits for two thirds of what is left, at most a
 * day; one that was found in the file waits a day, or a minute when little is left of it.
 */
export const renewalDelay = ({ left, fresh }: { readonly left: number; readonly fresh: boolean }): number => {
  if (!fresh && left < SHORT) return RENEWAL_PAUSE;
  return Math.max(RENEWAL_PAUSE, Math.min(DAY, (left * 2) / 3));
};
