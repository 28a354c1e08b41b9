import type { Change, Step, Validation } from '@fairlead/shared/contract/resources';
import type { Gate } from '@fairlead/shared/contract/gates';
import { describe, expect, it } from 'vitest';
import { changeText } from './changes.ts';
import { nextFor } from './next.ts';
import { validationText } from './steps.ts';

const STEP = { id: 'step_1', state: 'completed', ended: true, reason: null, base: 'target', base_commit: 'a'.repeat(40), gate_id: null };
const step = (more: Partial<Step>) => ({ ...STEP, ...more }) as Step;
const next = (more: Partial<Step>, change: Pick<Change, 'id' | 'state'> | null = null, gate: Partial<Gate> | null = null) =>
  nextFor({ step: step(more), change, gate: gate as Gate | null }).join('\n');

describe('what may be done next', () => {
  it('names commands, with the ids filled in', () => {
    expect(next({}, { id: 'chg_1', state: 'held' })).toBe('Integrate it: fairlead change integrate chg_1');
    expect(next({ state: 'running', ended: false })).toContain('fairlead step wait step_1');
    expect(next({ state: 'failed_executor', reason: { code: 'crashed', message: '' } })).toContain('fairlead step retry step_1');
    expect(next({ state: 'needs_approval', ended: false, gate_id: 'gate_1' })).toContain('fairlead gate get gate_1');
    const gate = { id: 'gate_1', state: 'pending', reasons: ['remote'], change_id: 'chg_1', digest: 'sha256:1' } as const;
    expect(next({ state: 'needs_approval', ended: false }, null, { ...gate, reasons: [...gate.reasons] })).toContain(
      'fairlead gate approve gate_1 --digest sha256:1',
    );
  });

  it('proposes no retry of what would fail in the same way', () => {
    const stale = next({ state: 'failed_executor', reason: { code: 'patch_not_applicable', message: '' } });
    expect(stale).toBe('Make the patch against target at aaaaaaaaaaaa and submit a new step.');
    expect(next({ state: 'failed_fence' })).not.toContain('retry');
  });

  it('proposes no integration while a gate waits', () => {
    const gate = { id: 'gate_2', state: 'pending', reasons: ['remote'], change_id: 'chg_1', digest: 'sha256:1' } as Gate;
    expect(next({}, { id: 'chg_1', state: 'held' }, gate)).not.toContain('integrate');
  });
});

describe('a change', () => {
  const file = { path: 'a.sh', status: 'modified', added: 0, removed: 0, old_mode: '100644', new_mode: '100755' } as const;
  const change = {
    id: 'chg_1',
    state: 'held',
    base_commit: 'b',
    snapshot_commit: 'c',
    files: [file],
    findings: [],
    integrated: null,
    reason: null,
  } as unknown as Change;

  it('shows modes that changed', () => {
    const shown = (old_mode: string, new_mode: string) => changeText({ ...change, files: [{ ...file, old_mode, new_mode }] });
    expect(shown('100644', '100755')).toContain('a.sh (mode 100644 -> 100755)');
    expect(shown('000000', '100755')).toContain('a.sh (mode 100755)');
    for (const silent of [shown('100644', '100644'), shown('000000', '100644'), shown('100755', '000000')])
      expect(silent).not.toContain('(mode');
  });

  it('of a failed step waits for nobody', () => {
    expect(changeText(change)).toContain('chg_1: held');
    expect(changeText(change, true)).toContain('chg_1: kept as evidence');
  });
});

describe('checks', () => {
  const check = (more: Partial<Validation>) =>
    validationText([
      { name: 'unit', passed: false, phase: 'change', argv: ['tool'], duration_ms: 1, output_tail: '', ...more } as Validation,
    ]);

  it('whose program is missing lead to the toolchain', () => {
    const cure = 'toolchain_folders';
    expect(check({ exit_code: 1, output_tail: 'bwrap: execvp nosuchprog: No such file or directory\n' })).toMatch(
      /unit could not run nosuchprog: .*toolchain_folders.*fairlead doctor/,
    );
    expect(check({ exit_code: 127, output_tail: 'sh: 1: jest: not found' })).toContain('unit could not run jest:');
    expect(check({ exit_code: 127 })).toContain('unit could not run tool:');
    expect(check({ exit_code: 1, output_tail: 'Error: ENOENT: No such file or directory' })).not.toContain(cure);
    expect(check({ exit_code: 127, passed: true })).not.toContain(cure);
  });
});
