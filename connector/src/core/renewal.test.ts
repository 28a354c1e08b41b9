import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RENEWAL_PAUSE, renewalDelay } from './renewal.ts';

const DAY = 86_400_000;

describe('the renewal of a delegation', () => {
  it('comes daily for the usual length, and soon after a start when little is left', () => {
    expect(renewalDelay({ left: 30 * DAY, fresh: true })).toBe(DAY);
    expect(renewalDelay({ left: 30 * DAY, fresh: false })).toBe(DAY);
    expect(renewalDelay({ left: 3 * DAY, fresh: false })).toBe(RENEWAL_PAUSE);
    expect(renewalDelay({ left: -DAY, fresh: false })).toBe(RENEWAL_PAUSE);
  });

  it('comes before the end wherever there is time for it, and never in a circle', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 400 * DAY }), fc.boolean(), (left, fresh) => {
        const delay = renewalDelay({ left, fresh });
        expect(delay).toBeGreaterThanOrEqual(RENEWAL_PAUSE);
        expect(delay).toBeLessThanOrEqual(DAY);
        if (left > 2 * RENEWAL_PAUSE) expect(delay).toBeLessThan(left);
      }),
    );
  });
});
