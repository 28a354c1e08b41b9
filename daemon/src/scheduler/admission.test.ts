import { describe, expect, it } from 'vitest';
import { admitted, positionsOf } from './admission.ts';

const queue = [
  { step_id: 'a', instance_id: 'ins_a', waits_for: undefined },
  { step_id: 'b', instance_id: 'ins_a', waits_for: 'a' },
  { step_id: 'c', instance_id: 'ins_a', waits_for: undefined },
  { step_id: 'd', instance_id: 'ins_a', waits_for: undefined },
];

describe('admission', () => {
  it('starts in order, as many as are free', () => {
    expect(admitted(queue, { parallelism: 3, active: ['ins_a', 'ins_a'], halted: false })).toEqual(['a']);
    expect(admitted(queue, { parallelism: 3, active: ['ins_a', 'ins_a', 'ins_a'], halted: false })).toEqual([]);
  });

  it('lets later steps pass one that waits for its base', () => {
    expect(admitted(queue, { parallelism: 4, active: ['ins_a'], halted: false })).toEqual(['a', 'c', 'd']);
  });

  it('lets instances take turns, those first that have the least at work', () => {
    const other = { step_id: 'x', instance_id: 'ins_b', waits_for: undefined };
    expect(admitted([...queue, other], { parallelism: 2, active: ['ins_a'], halted: false })).toEqual(['x']);
    expect(admitted([...queue, other], { parallelism: 2, active: [], halted: false })).toEqual(['a', 'x']);
    expect(admitted([...queue, other], { parallelism: 2, active: ['ins_b'], halted: false })).toEqual(['a']);
  });

  it('starts nothing while halted', () => {
    expect(admitted(queue, { parallelism: 4, active: [], halted: true })).toEqual([]);
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
