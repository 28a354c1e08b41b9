const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Never asked for more often than this, so that a daemon which answers short-lived delegations is not asked in a circle. */
export const RENEWAL_PAUSE = 60_000;

/** How long after a renewal that failed the next one is tried. */
export const RENEWAL_RETRY = 5 * 60_000;

/**
 * How long to wait before a delegation is renewed, in milliseconds: until two thirds of what was left when it was read have passed, at
 * most a day. A delegation of the usual 30 days is thus renewed daily, and a machine that sleeps for weeks still wakes with a valid one.
 */
export const renewalDelay = (notAfter: number, now: number): number => Math.max(RENEWAL_PAUSE, Math.min(DAY, ((notAfter - now) * 2) / 3));
