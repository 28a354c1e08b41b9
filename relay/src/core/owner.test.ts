import { describe, expect, it } from 'vitest';
import { newResourceId, prefixOf } from '@fairlead/shared/contract/ids';
import { OPERATIONS } from '@fairlead/shared/contract/operations/table';
import { addressedId } from './owner.ts';

describe('addressedId', () => {
  const instance = `ins_${'a'.repeat(26)}`;
  it('is found for every remote operation that has an instance, from its path alone', () => {
    for (const row of Object.values(OPERATIONS).filter(({ remote, surface }) => remote && surface !== 'each')) {
      const name = /:([a-z_]+)/.exec(row.route)![1]!;
      const kind = ({ run_id: 'run', step_id: 'step', change_id: 'chg', artifact_id: 'art', gate_id: 'gate' } as const)[name as 'run_id'];
      const id = kind ? newResourceId(kind, instance) : instance;
      expect(addressedId(row, { [name]: id, other: newResourceId('run', `ins_${'b'.repeat(26)}`) }), row.name).toEqual({
        id,
        prefix: prefixOf(instance),
      });
    }
  });

  it('is nothing where the path has no id', () => {
    expect(addressedId(OPERATIONS.list_instances, {})).toBeUndefined();
    expect(addressedId(OPERATIONS.get_step, { step_id: 'nonsense' })).toBeUndefined();
  });
});
