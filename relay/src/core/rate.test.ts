import { describe, expect, it } from 'vitest';
import { fullBucket, take } from './rate.ts';

describe('take', () => {
  it('lets a minute through at once, then as much as refills', () => {
    const bucket = fullBucket(60, 0);
    for (let count = 0; count < 60; count++) expect(take(bucket, 60, 0)).toBe(0);
    expect(take(bucket, 60, 0)).toBe(1000);
    expect(take(bucket, 60, 500)).toBe(500);
    expect(take(bucket, 60, 1000)).toBe(0);
    expect(take(bucket, 60, 1000)).toBe(1000);
  });

  it('saves up no more than a minute', () => {
    const bucket = fullBucket(2, 0);
    expect([take(bucket, 2, 1e9), take(bucket, 2, 1e9), take(bucket, 2, 1e9)]).toEqual([0, 0, 30_000]);
  });
});
