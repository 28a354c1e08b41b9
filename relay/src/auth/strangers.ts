import { FairleadError } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';
import type { Clock } from '@fairlead/shared/kit/clock';
import { fullBucket, take, type Bucket } from '../core/rate.ts';

/** Most addresses that are remembered; beyond it the oldest are forgotten. */
const REMEMBERED = 10_000;

/**
 * Counts failed sign-ins, handshakes and enrolments by address. Call it once for each failure.
 * @returns the error to answer with: the failure itself, or `rate_limited` for an address that fails too often
 */
export const countStrangers = (clock: Clock, perMinute = LIMITS.unauthenticated_rate.value) => {
  const buckets = new Map<string, Bucket>();
  return (address: string, failure: FairleadError): FairleadError => {
    let bucket = buckets.get(address);
    if (!bucket) {
      if (buckets.size >= REMEMBERED) buckets.delete(buckets.keys().next().value!);
      buckets.set(address, (bucket = fullBucket(perMinute, clock.monotonic())));
    }
    const waitMs = take(bucket, perMinute, clock.monotonic());
    return waitMs === 0 ? failure : new FairleadError('rate_limited', { more: { retry_after: waitMs / 1000 } });
  };
};
export type CountStranger = ReturnType<typeof countStrangers>;
