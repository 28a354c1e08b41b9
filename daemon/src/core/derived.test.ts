import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { Cursor } from '@fairlead/shared/contract/resources';
import { CHANGE_STATES, STEP_STATES, STEP_STATE_NAMES } from '@fairlead/shared/contract/states';
import { formatCursor, parseCursor, resumeAt } from './cursor.ts';
import { runProgress } from './progress.ts';
import { sentence, waitAgain } from './sentence.ts';

describe('cursor', () => {
  it('comes back as it went, in the form of the contract', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9a-z]{8}$/), fc.nat({ max: Number.MAX_SAFE_INTEGER }), (epoch, seq) => {
        const text = formatCursor({ epoch, seq });
        expect(Cursor.safeParse(text).success).toBe(true);
        expect(parseCursor(text)).toEqual({ epoch, seq });
      }),
    );
  });

  it('says gap for another ledger, for what lies ahead, and for what is no cursor', () => {
    const at = (epoch: string, seq: number) => formatCursor({ epoch, seq });
    expect(resumeAt(at('aaaaaaaa', 3), 'aaaaaaaa', 9)).toEqual({ after: 3, resumed: 'resumed' });
    expect(resumeAt(at('aaaaaaaa', 10), 'aaaaaaaa', 9)).toEqual({ after: 9, resumed: 'gap' });
    expect(resumeAt(at('bbbbbbbb', 3), 'aaaaaaaa', 9)).toEqual({ after: 9, resumed: 'gap' });
    expect(resumeAt('nonsense', 'aaaaaaaa', 9)).toEqual({ after: 9, resumed: 'gap' });
    expect(resumeAt(undefined, 'aaaaaaaa', 9)).toEqual({ after: 9, resumed: 'resumed' });
  });
});

describe('progress of a run', () => {
  it('puts what waits for a person first', () => {
    expect(runProgress({})).toBe('empty');
    expect(runProgress({ running: 0 })).toBe('empty');
    expect(runProgress({ completed: 1, failed_fence: 1, running: 1, needs_approval: 1 })).toBe('needs_approval');
    expect(runProgress({ completed: 1, failed_fence: 1, running: 1 })).toBe('running');
    expect(runProgress({ completed: 1, timeout: 1 })).toBe('failed');
    expect(runProgress({ completed: 1, rejected: 1, cancelled: 1 })).toBe('done');
  });
});

describe('sentence', () => {
  it('tells for every state what to do, and waits only where something comes by itself', () => {
    for (const state of STEP_STATE_NAMES) {
      for (const change_state of [null, ...CHANGE_STATES]) {
        const step = {
          id: 'step',
          state,
          warnings: [],
          reason: null,
          gate_id: 'gate_x',
          change_id: null,
          stop_requested_at: null,
          resume_at: null,
        };
        const text = sentence({ step, position: state === 'queued' ? 2 : null, change_state });
        expect(text.length).toBeGreaterThan(20);
        expect(text.includes('Wait again'), `${state}: ${text}`).toBe(waitAgain(state));
        if (STEP_STATES[state].retry === 'anyone') expect(text).toContain('retry_step');
      }
    }
  });
});
