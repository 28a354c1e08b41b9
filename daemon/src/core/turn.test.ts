import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatLogCursor, parseLogCursor } from './log-cursor.ts';
import { executorOfAttempt, hasNextExecutor } from './turn.ts';

const attempts = (...states: ('quota' | 'finished' | 'crashed')[]) => states.map((state) => ({ state }));

describe('whose turn it is', () => {
  it('stays with the executor that was asked for unless the task allows others', () => {
    for (const history of [attempts(), attempts('quota'), attempts('quota', 'quota', 'crashed'), attempts('finished')]) {
      expect(executorOfAttempt(['a'], history)).toBe('a');
      expect(hasNextExecutor(['a'], history)).toBe(false);
    }
  });

  it('goes on to the next after each limit, and after the last waits for the first', () => {
    const list = ['a', 'b', 'c'];
    expect(executorOfAttempt(list, attempts())).toBe('a');
    expect(executorOfAttempt(list, attempts('quota'))).toBe('b');
    expect(executorOfAttempt(list, attempts('quota', 'quota'))).toBe('c');
    expect(hasNextExecutor(list, attempts('quota', 'quota'))).toBe(true);
    expect(executorOfAttempt(list, attempts('quota', 'quota', 'quota'))).toBe('a');
    expect(hasNextExecutor(list, attempts('quota', 'quota', 'quota'))).toBe(false);
  });

  it('begins with the first again after an attempt that ended otherwise', () => {
    expect(executorOfAttempt(['a', 'b'], attempts('quota', 'crashed'))).toBe('a');
    expect(executorOfAttempt(['a', 'b'], attempts('crashed', 'quota'))).toBe('b');
  });
});

describe('a log cursor', () => {
  it('comes back as it went, and nothing else is one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.nat({ max: Number.MAX_SAFE_INTEGER }), (attempt, offset) => {
        expect(parseLogCursor(formatLogCursor({ attempt, offset }))).toEqual({ attempt, offset });
      }),
    );
    for (const text of ['', 'l0.0', 'l1', 'l1.', 'c1.1', 'l1.zzzzzzzzzzzz', 'L1.1', 'l1.1 '])
      expect(parseLogCursor(text), text).toBeUndefined();
  });
});
