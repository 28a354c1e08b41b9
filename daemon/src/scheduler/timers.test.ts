import { manualClock } from '@fairlead/shared/kit/clock';
import { createLog } from '@fairlead/shared/kit/log';
import { describe, expect, it } from 'vitest';
import type { Ledger } from '../ledger/ledger.ts';
import { createTimers } from './timers.ts';

const HOUR = 3_600_000;

/** Timers over nothing but the gates that the test names, with the times of each look since the start, in ms. */
const timersOver = (expires: number[], fails = (): boolean => false) => {
  const clock = manualClock();
  const start = clock.now();
  const looks: number[] = [];
  const read = {
    stepsIn: () => [],
    expiredGates: (now: number) => expires.filter((at) => start + at <= now).map((at) => ({ expires_at: start + at })),
  };
  const expireGates = async (): Promise<number> => {
    looks.push(clock.now() - start);
    if (fails()) throw new Error('The disk is full');
    for (const at of expires.filter((time) => start + time <= clock.now())) expires.splice(expires.indexOf(at), 1);
    return 0;
  };
  const timers = createTimers({
    ledger: { read } as unknown as Ledger,
    clock,
    log: createLog({ part: 'test', level: 'silent' }),
    expireGates,
  });
  return { clock, timers, looks, expires };
};

describe('the one timer', () => {
  it('looks at once when it starts, for what fell due while no daemon ran', async () => {
    const { clock, timers, looks, expires } = timersOver([-1000]);
    timers.start();
    await clock.advance(0);
    expect([looks, expires]).toEqual([[0], []]);
  });

  it('is not put off by what comes later, however often it is set', async () => {
    const { clock, timers, looks } = timersOver([]);
    timers.start();
    await clock.advance(0);
    for (let minutes = 0; minutes < 150; minutes += 30) {
      await clock.advance(HOUR / 2);
      timers.set();
    }
    expect(looks).toEqual([0, HOUR, 2 * HOUR]);
  });

  it('comes nearer for a gate that expires sooner', async () => {
    const { clock, timers, looks, expires } = timersOver([]);
    timers.start();
    await clock.advance(1000);
    expires.push(61_000);
    timers.set();
    await clock.advance(HOUR / 2);
    expect(looks).toEqual([0, 61_000]);
  });

  it('waits between two looks when they cannot be recorded', async () => {
    const { clock, timers, looks } = timersOver([-1000], () => true);
    timers.start();
    await clock.advance(0);
    await clock.advance(60_000);
    expect(looks.length).toBeGreaterThan(2);
    expect(looks.length).toBeLessThan(60);
    timers.clear();
    const before = looks.length;
    await clock.advance(HOUR);
    expect(looks).toHaveLength(before);
  });
});
