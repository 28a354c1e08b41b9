import { describe, expect, it } from 'vitest';
import { unproven } from './landing.ts';

const check = (name: string, required = true) => ({ name, required, run: ['true'], timeout_ms: 1000, judges: [] });
const row = (name: string, passed: boolean, tree = 'tree', phase: 'integration' | 'change' = 'integration') => ({
  name,
  passed,
  tree,
  phase,
});

describe('what keeps a tree from landing', () => {
  it('is every required check without a passing row for exactly that tree', () => {
    const checks = [check('unit'), check('lint'), check('advice', false)];
    expect(unproven(checks, [row('unit', true), row('lint', true), row('advice', false)], 'tree')).toEqual({ failed: [], missing: [] });
    expect(unproven(checks, [row('unit', false), row('lint', true)], 'tree')).toEqual({ failed: ['unit'], missing: [] });
    // An interrupted round leaves no row; a pass on another tree or of another phase says nothing.
    expect(unproven(checks, [], 'tree')).toEqual({ failed: [], missing: ['unit', 'lint'] });
    expect(unproven(checks, [row('unit', true, 'other'), row('lint', true, 'tree', 'change')], 'tree').missing).toEqual(['unit', 'lint']);
  });
});
