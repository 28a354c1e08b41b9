import { describe, expect, it } from 'vitest';
import { OPERATIONS } from '@fairlead/shared/contract/operations/table';
import { defaultScopes, isAdminScope, mayCall } from './access.ts';

describe('defaultScopes', () => {
  it('allows no decision, no files and no administration', () => {
    const scopes = defaultScopes(OPERATIONS);
    for (const scope of ['gates:decide', 'changes:decide', 'files:read', 'none'] as const) expect(scopes).not.toContain(scope);
    expect(scopes.filter(isAdminScope)).toEqual([]);
    expect(scopes).toContain('steps:write');
  });
});

describe('mayCall', () => {
  const caller = { scopes: new Set(['steps:read' as const]), instances: new Set(['ins_a']) };
  it('asks scope first, then the instance', () => {
    expect(mayCall(caller, OPERATIONS.get_step, 'ins_a')).toBe('yes');
    expect(mayCall(caller, OPERATIONS.get_step, 'ins_b')).toBe('foreign');
    expect(mayCall(caller, OPERATIONS.get_run, 'ins_b')).toBe('scope_denied');
    expect(mayCall({ ...caller, instances: null }, OPERATIONS.get_step, 'ins_b')).toBe('yes');
  });
});
