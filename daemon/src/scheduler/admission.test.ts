import { describe, expect, it } from 'vitest';
import { admitted, positionsOf } from './admission.ts';

const queue = [
  { step_id: 'a', waits_for: undefined },
  { step_id: 'b', waits_for: 'a' },
  { step_id: 'c', waits_for: undefined },
  { step_id: 'd', waits_for: undefined },
];

describe('admission', () => {
  it('starts in order, as many as are free', () => {
    expect(admitted(queue, { parallelism: 3, active: 2, halted: false })).toEqual(['a']);
    expect(admitted(queue, { parallelism: 3, active: 3, halted: false })).toEqual([]);
  });

  it('lets later steps pass one that waits for its base', () => {
    expect(admitted(queue, { parallelism: 4, active: 1, halted: false })).toEqual(['a', 'c', 'd']);
  });

  it('starts nothing while halted', () => {
    expect(admitted(queue, { parallelism: 4, active: 0, halted: true })).toEqual([]);
  });

  it('numbers places from 1', () => {
    expect([...positionsOf(queue)]).toEqual([
      ['a', 1],
      ['b', 2],
      ['c', 3],
      ['d', 4],
    ]);
  });
});
