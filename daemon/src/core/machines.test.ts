import { describe, expect, it } from 'vitest';
import { STEP_STATES, STEP_STATE_NAMES, type StepState } from '@fairlead/shared/contract/states';
import { ATTEMPT_EVENTS, ATTEMPT_EVENT_TYPES, attempt } from './attempt.ts';
import { CHANGE_EVENTS, CHANGE_EVENT_TYPES, change } from './change.ts';
import { GATE_EVENTS, GATE_EVENT_TYPES, gate } from './gate.ts';
import type { Machine } from './machine.ts';
import { RUN_EVENTS, RUN_EVENT_TYPES, run } from './run.ts';
import { STEP_EVENTS, STEP_EVENT_TYPES, step } from './step.ts';

/** Every state asked about every event: those that lead somewhere, and where to. Whatever is not named is a refusal. */
const whole = <S extends string, E extends string>(of: Machine<S, E>, events: readonly E[]): string =>
  (Object.keys(of.table) as S[])
    .map((state) => {
      const taken = events.filter((event) => of.next(state, event) !== undefined);
      return [`${state}:`, ...taken.map((event) => `  ${event} -> ${of.next(state, event)}`)].join('\n');
    })
    .join('\n');

describe('state tables, exhaustively', () => {
  it('step', () =>
    expect(`\n${whole(step, STEP_EVENTS)}\n`).toMatchInlineSnapshot(`
    "
    queued:
      prepared -> preparing
      preparation_failed -> failed_preparation
      cancelled -> cancelled
    preparing:
      started -> running
      requeued -> queued
      preparation_failed -> failed_preparation
      timed_out -> timeout
      cancelled -> cancelled
      stuck -> needs_manual_attention
    running:
      executed -> collecting
      requeued -> queued
      executor_failed -> failed_executor
      timed_out -> timeout
      quota_reached -> waiting_quota
      cancelled -> cancelled
      outcome_unknown -> indeterminate
      stuck -> needs_manual_attention
    collecting:
      collected -> validating
      cancelled -> cancelled
      stuck -> needs_manual_attention
    validating:
      requeued -> queued
      preparation_failed -> failed_preparation
      executor_failed -> failed_executor
      timed_out -> timeout
      quota_reached -> waiting_quota
      fence_broken -> failed_fence
      validation_failed -> failed_validation
      held -> needs_approval
      completed -> completed
      completed_with_warnings -> completed_with_warnings
      cancelled -> cancelled
      stuck -> needs_manual_attention
    needs_approval:
      approved -> completed
      approved_with_warnings -> completed_with_warnings
      rejected -> rejected
      cancelled -> cancelled
    waiting_quota:
      resumed -> queued
      cancelled -> cancelled
    completed:
    completed_with_warnings:
    rejected:
    cancelled:
    failed_validation:
      retried -> queued
    failed_fence:
      retried -> queued
    failed_executor:
      retried -> queued
    failed_preparation:
      retried -> queued
    timeout:
      retried -> queued
    indeterminate:
      retried -> queued
    needs_manual_attention:
      retried -> queued
    "
  `));
  it('run', () =>
    expect(`\n${whole(run, RUN_EVENTS)}\n`).toMatchInlineSnapshot(`
    "
    open:
      closed -> closed
      cancelled -> cancelled
    closed:
      cancelled -> cancelled
    cancelled:
    "
  `));
  it('attempt', () =>
    expect(`\n${whole(attempt, ATTEMPT_EVENTS)}\n`).toMatchInlineSnapshot(`
    "
    active:
      finished -> finished
      refused -> refused
      timed_out -> timed_out
      cancelled -> cancelled
      crashed -> crashed
      quota -> quota
      lost -> lost
    finished:
    refused:
    timed_out:
    cancelled:
    crashed:
    quota:
    lost:
    "
  `));
  it('change', () =>
    expect(`\n${whole(change, CHANGE_EVENTS)}\n`).toMatchInlineSnapshot(`
    "
    held:
      integrating -> integrating
      discarded -> discarded
    integrating:
      integrated -> integrated
      conflicted -> conflict
      validation_failed -> failed_validation
      returned -> held
    conflict:
      integrating -> integrating
      discarded -> discarded
    failed_validation:
      integrating -> integrating
      discarded -> discarded
    integrated:
    discarded:
    "
  `));
  it('gate', () =>
    expect(`\n${whole(gate, GATE_EVENTS)}\n`).toMatchInlineSnapshot(`
      "
      pending:
        approved -> approved
        rejected -> rejected
        outdated -> outdated
        expired -> expired
      approved:
        outdated -> outdated
        used -> used
      rejected:
      outdated:
      expired:
      used:
      "
    `));

  it('refuses events that only an object has', () => {
    expect(step.next('queued', 'constructor' as never)).toBeUndefined();
    expect(step.next('queued', '__proto__' as never)).toBeUndefined();
  });

  it('writes a line of history for every event', () => {
    expect(Object.keys(STEP_EVENT_TYPES).toSorted()).toEqual([...STEP_EVENTS].toSorted());
    expect(Object.keys(RUN_EVENT_TYPES).toSorted()).toEqual([...RUN_EVENTS].toSorted());
    expect(Object.keys(ATTEMPT_EVENT_TYPES).toSorted()).toEqual([...ATTEMPT_EVENTS].toSorted());
    expect(Object.keys(CHANGE_EVENT_TYPES).toSorted()).toEqual([...CHANGE_EVENTS].toSorted());
    expect(Object.keys(GATE_EVENT_TYPES).toSorted()).toEqual([...GATE_EVENTS].toSorted());
  });
});

describe('the ways out of a step', () => {
  it('an end is left only by a retry, and exactly where the contract allows one', () => {
    for (const state of STEP_STATE_NAMES) {
      const facts = STEP_STATES[state];
      if (facts.end) expect(step.enabled(state), state).toEqual(facts.retry === 'no' ? [] : ['retried']);
      else expect(step.enabled(state), state).not.toContain('retried');
    }
  });

  it('no open state is without a way out, and from every one of them an end can be reached', () => {
    const reaches = (from: StepState): Set<StepState> => {
      const seen = new Set<StepState>([from]);
      for (const state of seen) for (const event of step.enabled(state)) if (!STEP_STATES[state].end) seen.add(step.next(state, event)!);
      return seen;
    };
    for (const state of STEP_STATE_NAMES.filter((name) => !STEP_STATES[name].end)) {
      expect(step.enabled(state).length, state).toBeGreaterThan(0);
      expect(step.enabled(state), `${state} can be cancelled`).toContain('cancelled');
      expect(
        [...reaches(state)].some((name) => STEP_STATES[name].end),
        state,
      ).toBe(true);
    }
  });

  it('every state can be reached from the queue', () => {
    const seen = new Set<StepState>(['queued']);
    for (const state of seen) for (const event of step.enabled(state)) seen.add(step.next(state, event)!);
    expect([...seen].toSorted()).toEqual([...STEP_STATE_NAMES].toSorted());
  });

  it('a held step becomes what the contract says and nothing else', () => {
    const next = new Set(step.enabled('needs_approval').map((event) => step.next('needs_approval', event)));
    expect(next).toEqual(new Set(['completed', 'completed_with_warnings', 'rejected', 'cancelled']));
  });
});
