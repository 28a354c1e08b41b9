import { describe, expect, it } from 'vitest';
import { OUTCOMES } from '@fairlead/shared/contract/states';
import { step } from './step.ts';
import { approvedEvent, verdict, type VerdictFacts } from './verdict.ts';

const FENCE = [
  [],
  [{ rule: 'protected', severity: 'gate' as const, path: 'a', message: 'm' }],
  [{ rule: 'forbidden', severity: 'failed' as const, path: 'a', message: 'm' }],
];
const check = (name: string, required: boolean, passed: boolean, phase: 'change' | 'judges_restored' = 'change') => ({
  name,
  phase,
  required,
  passed,
  timed_out: false,
});
const CHECKS = [
  [],
  [check('unit', true, true)],
  [check('unit', true, false)],
  [check('unit', true, true), check('lint', false, false)],
  [check('unit', true, true), check('unit', true, false, 'judges_restored')],
  [check('unit', true, false), check('lint', false, false)],
];

/** The rules of DESIGN section 4 in their order, written down a second time as a list: the first that holds decides. */
const RULES: readonly { readonly holds: (facts: VerdictFacts) => boolean; readonly event: (facts: VerdictFacts) => string }[] = [
  { holds: ({ stopped }) => stopped === 'unconfirmed', event: () => 'stuck' },
  { holds: ({ stop }) => stop === 'cancel' || stop === 'halt', event: () => 'cancelled' },
  { holds: ({ stop, outcome }) => stop === 'timeout' || outcome === 'timed_out', event: () => 'timed_out' },
  { holds: ({ outcome, resets_at }) => outcome === 'quota' && resets_at !== null, event: () => 'quota_reached' },
  { holds: ({ outcome }) => outcome !== 'finished', event: () => 'executor_failed' },
  { holds: ({ findings }) => findings.some(({ severity }) => severity === 'failed'), event: () => 'fence_broken' },
  { holds: ({ changed, expects_change }) => expects_change && !changed, event: () => 'executor_failed' },
  {
    holds: ({ validations }) => validations.some((one) => one.phase === 'change' && one.required && !one.passed),
    event: () => 'validation_failed',
  },
  { holds: ({ gates }) => gates.length > 0, event: () => 'held' },
  {
    holds: () => true,
    event: ({ validations, changed }) =>
      !changed || validations.length === 0 || validations.some(({ passed }) => !passed) ? 'completed_with_warnings' : 'completed',
  },
];

describe('verdict', () => {
  it('follows the precedence in every combination', () => {
    let combinations = 0;
    for (const stopped of ['by_itself', 'confirmed', 'unconfirmed'] as const)
      for (const stop of [null, 'cancel', 'halt', 'timeout'] as const)
        for (const outcome of OUTCOMES)
          for (const resets_at of [null, 1000])
            for (const findings of FENCE)
              for (const validations of CHECKS)
                for (const gates of [[], ['remote' as const]])
                  for (const [changed, expects_change] of [
                    [true, false],
                    [false, false],
                    [true, true],
                    [false, true],
                  ] as const) {
                    const facts: VerdictFacts = {
                      stopped,
                      stop,
                      outcome,
                      resets_at,
                      findings,
                      validations,
                      gates,
                      changed,
                      expects_change,
                    };
                    const answer = verdict(facts);
                    const rule = RULES.find(({ holds }) => holds(facts))!;
                    expect(answer.event, JSON.stringify(facts)).toBe(rule.event(facts));
                    expect(answer.gates, 'gates are named exactly when one holds the step').toEqual(answer.event === 'held' ? gates : []);
                    expect(answer.reason === null, 'only a completed step needs no reason').toBe(answer.event.startsWith('completed'));
                    combinations++;
                  }
    expect(combinations).toBe(3 * 4 * 6 * 2 * 3 * 6 * 2 * 4);
  });

  it('gives events that a validating step takes', () => {
    for (const outcome of OUTCOMES) {
      const { event } = verdict({
        stopped: 'by_itself',
        stop: null,
        outcome,
        resets_at: 1,
        findings: [],
        validations: [],
        gates: [],
        changed: true,
        expects_change: false,
      });
      expect(step.next('validating', event), event).toBeDefined();
    }
  });

  it('carries the words of the executor and the names of failed checks', () => {
    const base: VerdictFacts = {
      stopped: 'by_itself',
      stop: null,
      outcome: 'refused',
      findings: [],
      validations: [],
      gates: [],
      changed: false,
      expects_change: false,
    };
    expect(verdict({ ...base, outcome_reason: { code: 'patch_not_applicable', message: 'a.txt: patch does not apply' } }).reason).toEqual({
      code: 'patch_not_applicable',
      message: 'a.txt: patch does not apply',
    });
    expect(verdict({ ...base, outcome: 'finished', changed: true, validations: [check('unit', true, false)] }).reason?.message).toContain(
      'unit',
    );
    expect(verdict({ ...base, outcome: 'cancelled' }).reason?.code).toBe('cancelled_unasked');
  });

  it('keeps warnings through a gate', () => {
    const held = verdict({
      stopped: 'by_itself',
      stop: null,
      outcome: 'finished',
      findings: [],
      validations: [],
      gates: ['no_validations'],
      changed: true,
      expects_change: false,
    });
    expect(held.warnings).toEqual(['no_validations']);
    expect(approvedEvent(held.warnings)).toBe('approved_with_warnings');
    expect(approvedEvent([])).toBe('approved');
  });
});
