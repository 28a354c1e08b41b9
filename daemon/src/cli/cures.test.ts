import { FairleadError } from '@fairlead/shared/contract/errors';
import { describe, expect, it } from 'vitest';
import { withCommands } from './cures.ts';

describe('errors for the owner', () => {
  it('name the gate that took the place of the old one', () => {
    const shown = withCommands(new FairleadError('gate_outdated', { more: { gate_id: 'gate_2', digest: 'sha256:2' } })) as FairleadError;
    expect(shown.toProblem()).toMatchObject({
      code: 'gate_outdated',
      detail: expect.stringContaining('gate_2') as string,
      hint: expect.stringContaining('fairlead gate get gate_2') as string,
      gate_id: 'gate_2',
      digest: 'sha256:2',
    });
    expect((withCommands(new FairleadError('gate_outdated')) as FairleadError).context.hint).toContain('fairlead gate list');
  });

  it('name commands instead of operations, and leave the rest alone', () => {
    expect((withCommands(new FairleadError('executor_unknown', { field: 'f' })) as FairleadError).context).toMatchObject({
      field: 'f',
      hint: 'Name one that fairlead executors prints.',
    });
    expect((withCommands(new FairleadError('invalid_input', { hint: 'Write title.' })) as FairleadError).context.hint).toBe('Write title.');
    for (const same of [new FairleadError('halted'), new Error('x')]) expect(withCommands(same)).toBe(same);
  });
});
