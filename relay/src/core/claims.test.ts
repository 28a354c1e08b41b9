import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeClaim, type Claim } from './claims.ts';

const claim = (about: Partial<Claim> = {}): Claim => ({ instance_id: 'ins_a', connector_id: 'con_1', sequence: 5, ...about });

describe('judgeClaim', () => {
  it.each([
    ['nobody holds it', undefined, {}, 'granted'],
    ['the same connector again', {}, {}, 'granted'],
    ['the same connector with a newer one', {}, { sequence: 6 }, 'granted'],
    ['an old one of the same connector', {}, { sequence: 4 }, 'instance_moved'],
    ['another connector with a newer one', {}, { connector_id: 'con_2', sequence: 6 }, 'granted_from_other'],
    ['another connector with an equal one', {}, { connector_id: 'con_2' }, 'instance_moved'],
    ['another connector with an old one', {}, { connector_id: 'con_2', sequence: 4 }, 'instance_moved'],
    ['another instance of the same prefix', {}, { instance_id: 'ins_b', sequence: 9 }, 'prefix_taken'],
  ] as const)('%s', (_, known, about, verdict) => {
    expect(judgeClaim(known && claim(known), claim(about))).toBe(verdict);
  });

  it('ends at the highest sequence, whatever comes in whatever order', () => {
    const claims = fc.array(
      fc.record({ instance_id: fc.constant('ins_a'), connector_id: fc.constantFrom('con_1', 'con_2'), sequence: fc.nat(20) }),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(claims, (all) => {
        let known: Claim | undefined;
        for (const next of all) if (judgeClaim(known, next).startsWith('granted')) known = next;
        expect(known!.sequence).toBe(Math.max(...all.map(({ sequence }) => sequence)));
      }),
    );
  });
});
