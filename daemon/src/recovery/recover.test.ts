import { describe, expect, it } from 'vitest';
import { fateOf } from './recover.ts';

const at = (state: 'preparing' | 'running' | 'collecting' | 'validating', stop_why: 'cancel' | 'halt' | null = null) => ({
  state,
  stop_why,
});

describe('what an interrupted step becomes', () => {
  it('is decision 0005', () => {
    expect(fateOf(at('preparing'), false, 'none')).toBe('requeued');
    expect(fateOf(at('running'), true, 'none')).toBe('requeued');
    expect(fateOf(at('running'), false, 'ended')).toBe('indeterminate');
    expect(fateOf(at('collecting'), false, 'none')).toBe('reentered');
    expect(fateOf(at('validating'), true, 'ended')).toBe('reentered');
  });

  it('is cancelled when a stop was asked for and nothing runs any more', () => {
    expect(fateOf(at('running', 'cancel'), false, 'ended')).toBe('cancelled');
    expect(fateOf(at('preparing', 'halt'), true, 'none')).toBe('cancelled');
    expect(fateOf(at('validating', 'cancel'), true, 'none')).toBe('reentered');
  });

  it('needs a person when something may still run', () => {
    expect(fateOf(at('running', 'cancel'), true, 'unconfirmed')).toBe('stuck');
    expect(fateOf(at('validating'), true, 'unconfirmed')).toBe('stuck');
  });
});
