/** A bucket that refills evenly: `left` requests at the time `at` (monotonic ms). */
export interface Bucket {
  left: number;
  at: number;
}

/** Takes one request from a bucket in place. Answers 0, or the milliseconds until one will be free. */
export const take = (bucket: Bucket, perMinute: number, now: number): number => {
  const perMs = perMinute / 60_000;
  bucket.left = Math.min(perMinute, bucket.left + (now - bucket.at) * perMs);
  bucket.at = now;
  if (bucket.left >= 1) {
    bucket.left -= 1;
    return 0;
  }
  return Math.ceil((1 - bucket.left) / perMs);
};

/** A bucket with a minute's requests in it. */
export const fullBucket = (perMinute: number, now: number): Bucket => ({ left: perMinute, at: now });
