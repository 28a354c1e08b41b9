import { describe, expect, it } from 'vitest';
import { rememberBetweenCommits } from './between-commits.ts';

describe('rememberBetweenCommits', () => {
  it('remembers what was found until something is committed', () => {
    const listeners: (() => void)[] = [];
    const memory = rememberBetweenCommits<number>({
      onCommit: (listener) => {
        listeners.push(() => listener([]));
        return () => {};
      },
    });
    let looks = 0;
    const look = () => (++looks < 3 ? undefined : looks);
    expect([memory.get('a', look), memory.get('a', look), memory.get('a', look), memory.get('a', look)]).toEqual([
      undefined,
      undefined,
      3,
      3,
    ]);
    listeners[0]!();
    expect(memory.get('a', look)).toBe(4);
    for (let at = 0; at < 2000; at++) memory.get(`b${at}`, () => at);
    expect(memory.get('b1999', () => -1)).toBe(1999);
  });
});
