import { describe, expect, it } from 'vitest';
import { STEP_STATES, STEP_STATE_NAMES, type StepState } from '@fairlead/shared/contract/states';
import { ATTEMPT_EVENTS, ATTEMPT_EVENT_TYPES, attempt } from './attempt.ts';
import { CHANGE_EVENTS, CHANGE_EVENT_TYPES, change } from './change.ts';
import { GATE_EVENTS, GATE_EVENT_TYPES, gate } from './gate.ts';
import type { Machine } from './machine.ts';
import { RUN_EVENTS, RUN_EVENT_TYPES, run } from './run.ts';
import { STEP_EVENTS, STEP_EVENT_TYPES, step } from './step.ts';

/** Every state with every event: where it leads, or a dash for a refusal. */
const whole = <S extends string, E extends string>(of: Machine<S, E>, events: readonly E[]): string =>
  (Object.keys(of.table) as S[]).map((state) => `${state}: ${events.map((event) => `${event}=${of.next(state, event) ?? '-'}`).join(' ')}`).join('\n');

describe('state tables, exhaustively', () => {
  it('step', () => expect(`\n${whole(step, STEP_EVENTS)}\n`).toMatchInlineSnapshot(`
    "
    queued: prepared=preparing started=- executed=- collected=- requeued=- resumed=- retried=- preparation_failed=failed_preparation executor_failed=- timed_out=timeout quota_reached=- fence_broken=- validation_failed=- held=- completed=- completed_with_warnings=- approved=- approved_with_warnings=- rejected=- cancelled=cancelled outcome_unknown=- stuck=-
    preparing: prepared=- started=running executed=- collected=- requeued=queued resumed=- retried=- preparation_failed=failed_preparation executor_failed=- timed_out=timeout quota_reached=- fence_broken=- validation_failed=- held=- completed=- completed_with_warnings=- approved=- approved_with_warnings=- rejected=- cancelled=cancelled outcome_unknown=- stuck=needs_manual_attention
    running: prepared=- started=- executed=collecting collected=- requeued=queued resumed=- retried=- preparation_failed=- executor_failed=failed_executor timed_out=timeout quota_reached=waiting_quota fence_broken=failed_fence validation_failed=- held=- completed=- completed_with_warnings=- approved=- approved_with_warnings=- rejected=- cancelled=cancelled outcome_unknown=indeterminate stuck=needs_manual_attention
    collecting: prepared=- started=- executed=- collected=validating requeued=queued resumed=- retried=- preparation_failed=- executor_failed=failed_executor timed_out=timeout quota_reached=waiting_quota fence_broken=failed_fence validation_failed=- held=- completed=- completed_with_warnings=- approved=- approved_with_warnings=- rejected=- cancelled=cancelled outcome_unknown=indeterminate stuck=needs_manual_attention
    validating: prepared=- started=- executed=- collected=- requeued=queued resumed=- retried=- preparation_failed=failed_preparation executor_failed=failed_executor timed_out=timeout quota_reached=waiting_quota fence_broken=failed_fence validation_failed=failed_validation held=needs_approval completed=completed completed_with_warnings=completed_with_warnings approved=- approved_with_warnings=- rejected=- cancelled=cancelled outcome_unknown=indeterminate stuck=needs_manual_attention
    needs_approval: prepared=- started=- executed=- collected=- requeued=- resumed=- retried=- preparation_failed=- executor_failed=- timed_out=- quota_reached=- fence_broken=- validation_failed=- held=- completed=- completed_with_warnings=- approved=completed approved_with_warnings=completed_with_warnings rejected=rejected cancelled=cancelled outcome_unknown=- stuck=-
    waiting_quota: prepared=- started=- executed=- collected=- requeued=- resumed=queued retried=- preparation_failed=- executor_failed=- timed_out=timeout quota_reached=- fence_broken=- validation_failed=- held=- completed=- completed_with_warnings=- approved=- approved_with_warnings=- rejected=- cancelled=cancelled outcome_unknown=- stuck=-
    completed: prepared=- started=- executed=- collected=- requeued=- resumed=- retried=- preparation_failed=- executor_failed=- timed_out=- quota_reached=- fence_broken=- validation_failed=- held=- completed=- completed_with_warnings=- approved=- approved_with_warnings=- rejected=- cancelled=- outcome_unknown=- stuck=-
    completed_with_warnings: prepared=- started=- executed=- collected=- requeued=- resumed=- retried=- preparation_failed=- executor_failed=- timed_out=- quota_reached=- fence_broken=- validation_failed=- held=- completed=- completed_with_warnings=- approved=- approved_with_warnings=- rejected=- cancelled=- outcome_unknown=- stuck=-
    rejected: prepared=- started=- executed=- collected=- requeued=- resumed=- retried=- preparation_failed=- executor_failed=- timed_out=- quota_reached=- fence_broken=- validation_failed=- held=- completed=- completed_with_warnings=- approved=- approved_with_warnings=- rejected=- cancelled=- outcome_unknown=- stuck=-
    cancelled: prepared=- started=- executed=- collected=- requeued=- resumed=- retried=- preparation_failed=- executor_failed=- timed_out=- quota_reached=- fence_broken=- validation_failed=- held=- completed=- completed_with_warnings=- approved=- approved_with_warnings=- rejected=- cancelled=- outcome_unknown=- stuck=-
    failed_validation: prepared=- started=- executed=- collected=- requeued=- resumed=- retried=queued preparation_failed=- executor_failed=- timed_out=- quota_reached=- fence_broken=- validation_failed=- held=- completed=- completed_with_warnings=- approved=- approved_with_warnings=- rejected=- cancelled=- outcome_unknown=- stuck=-
    failed_fence: prepared=- started=- executed=- collected=- requeued=- resumed=- retried=queued preparation_failed=- executor_failed=- timed_out=- quota_reached=- fence_broken=- validation_failed=- held=- completed=- completed_with_warnings=- approved=- approved_with_warnings=- rejected=- cancelled=- outcome_unknown=- stuck=-
    failed_executor: prepared=- started=- executed=- collected=- requeued=- resumed=- retried=queued preparation_failed=- executor_failed=- timed_out=- quota_reached=- fence_broken=- validation_failed=- held=- completed=- completed_with_warnings=- approved=- approved_with_warnings=- rejected=- cancelled=- outcome_unknown=- stuck=-
    failed_preparation: prepared=- started=- executed=- collected=- requeued=- resumed=- retried=queued preparation_failed=- executor_failed=- timed_out=- quota_reached=- fence_broken=- validation_failed=- held=- completed=- completed_with_warnings=- approved=- approved_with_warnings=- rejected=- cancelled=- outcome_unknown=- stuck=-
    timeout: prepared=- started=- executed=- collected=- requeued=- resumed=- retried=queued preparation_failed=- executor_failed=- timed_out=- quota_reached=- fence_broken=- validation_failed=- held=- completed=- completed_with_warnings=- approved=- approved_with_warnings=- rejected=- cancelled=- outcome_unknown=- stuck=-
    indeterminate: prepared=- started=- executed=- collected=- requeued=- resumed=- retried=queued preparation_failed=- executor_failed=- timed_out=- quota_reached=- fence_broken=- validation_failed=- held=- completed=- completed_with_warnings=- approved=- approved_with_warnings=- rejected=- cancelled=- outcome_unknown=- stuck=-
    needs_manual_attention: prepared=- started=- executed=- collected=- requeued=- resumed=- retried=queued preparation_failed=- executor_failed=- timed_out=- quota_reached=- fence_broken=- validation_failed=- held=- completed=- completed_with_warnings=- approved=- approved_with_warnings=- rejected=- cancelled=- outcome_unknown=- stuck=-
    "
  `));
  it('run', () => expect(`\n${whole(run, RUN_EVENTS)}\n`).toMatchInlineSnapshot(`
    "
    open: closed=closed cancelled=cancelled
    closed: closed=- cancelled=cancelled
    cancelled: closed=- cancelled=-
    "
  `));
  it('attempt', () => expect(`\n${whole(attempt, ATTEMPT_EVENTS)}\n`).toMatchInlineSnapshot(`
    "
    active: finished=finished refused=refused timed_out=timed_out cancelled=cancelled crashed=crashed quota=quota lost=lost
    finished: finished=- refused=- timed_out=- cancelled=- crashed=- quota=- lost=-
    refused: finished=- refused=- timed_out=- cancelled=- crashed=- quota=- lost=-
    timed_out: finished=- refused=- timed_out=- cancelled=- crashed=- quota=- lost=-
    cancelled: finished=- refused=- timed_out=- cancelled=- crashed=- quota=- lost=-
    crashed: finished=- refused=- timed_out=- cancelled=- crashed=- quota=- lost=-
    quota: finished=- refused=- timed_out=- cancelled=- crashed=- quota=- lost=-
    lost: finished=- refused=- timed_out=- cancelled=- crashed=- quota=- lost=-
    "
  `));
  it('change', () => expect(`\n${whole(change, CHANGE_EVENTS)}\n`).toMatchInlineSnapshot(`
    "
    held: integrating=integrating integrated=- conflicted=- validation_failed=- returned=- discarded=discarded
    integrating: integrating=- integrated=integrated conflicted=conflict validation_failed=failed_validation returned=held discarded=-
    conflict: integrating=integrating integrated=- conflicted=- validation_failed=- returned=- discarded=discarded
    failed_validation: integrating=integrating integrated=- conflicted=- validation_failed=- returned=- discarded=discarded
    integrated: integrating=- integrated=- conflicted=- validation_failed=- returned=- discarded=-
    discarded: integrating=- integrated=- conflicted=- validation_failed=- returned=- discarded=-
    "
  `));
  it('gate', () => expect(`\n${whole(gate, GATE_EVENTS)}\n`).toMatchInlineSnapshot(`
    "
    pending: approved=approved rejected=rejected outdated=outdated expired=expired
    approved: approved=- rejected=- outdated=outdated expired=-
    rejected: approved=- rejected=- outdated=- expired=-
    outdated: approved=- rejected=- outdated=- expired=-
    expired: approved=- rejected=- outdated=- expired=-
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
      expect([...reaches(state)].some((name) => STEP_STATES[name].end), state).toBe(true);
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
