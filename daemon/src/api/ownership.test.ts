import { newResourceId } from '@fairlead/shared/contract/ids';
import { OPERATIONS } from '@fairlead/shared/contract/operations/table';
import { describe, expect, it } from 'vitest';
import { addressOf, checkOwnership } from './ownership.ts';

const OURS = `ins_${'a'.repeat(26)}`;
const FOREIGN = `ins_${'b'.repeat(26)}`;
const SAME_PREFIX = `ins_${'a'.repeat(10)}${'b'.repeat(16)}`;

describe('checkOwnership', () => {
  it('lets our own ids pass, at any depth', () => {
    expect(() =>
      checkOwnership(
        { instance_id: OURS, task: { base: newResourceId('step', OURS), goal: 'x' }, list: [newResourceId('run', OURS)] },
        OURS,
      ),
    ).not.toThrow();
  });

  it.each([
    [{ step_id: newResourceId('step', FOREIGN) }, 'step_id'],
    [{ task: { base: newResourceId('step', FOREIGN) } }, 'task.base'],
    [{ instance_id: FOREIGN }, 'instance_id'],
    [{ instance_id: SAME_PREFIX }, 'instance_id'],
    [{ list: ['x', newResourceId('chg', FOREIGN)] }, 'list.1'],
  ])('refuses %j', (input, field) => {
    expect(() => checkOwnership(input, OURS)).toThrow(
      expect.objectContaining({ code: 'instance_mismatch', context: expect.objectContaining({ field }) as unknown }),
    );
  });

  it('finds the address of a local request in its path', () => {
    expect(addressOf(OPERATIONS.submit_task, { run_id: 'x', task: {} })).toBe('x');
    expect(addressOf(OPERATIONS.list_instances, {})).toBeUndefined();
  });
});
