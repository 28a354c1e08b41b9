import { randomUnit } from './clock.ts';

export interface Backoff {
  /** How long to wait before the next try, in milliseconds. */
  next(): number;
  /** The next delay is the first again. */
  reset(): void;
}

/**
 * Exponential delays with full jitter: each is drawn evenly between 0 and a bound that doubles up to the cap, so that a crowd
 * that was cut off together does not come back together.
 */
export const createBackoff = ({
  base,
  cap,
  random = randomUnit,
}: {
  readonly base: number;
  readonly cap: number;
  readonly random?: () => number;
}): Backoff => {
  let tries = 0;
  return {
    next: () => Math.round(random() * Math.min(cap, base * 2 ** Math.min(tries++, 40))),
    reset: () => {
      tries = 0;
    },
  };
};
