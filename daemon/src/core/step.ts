import type { EventType } from '@fairlead/shared/contract/resources';
import type { StepState } from '@fairlead/shared/contract/states';
import { machine } from './machine.ts';

/** What can happen to a step. `verdict` chooses among the ends; nobody else does. */
export const STEP_EVENTS = [
  'prepared',
  'started',
  'executed',
  'collected',
  'requeued',
  'resumed',
  'retried',
  'preparation_failed',
  'executor_failed',
  'timed_out',
  'quota_reached',
  'fence_broken',
  'validation_failed',
  'held',
  'completed',
  'completed_with_warnings',
  'approved',
  'approved_with_warnings',
  'rejected',
  'cancelled',
  'outcome_unknown',
  'stuck',
] as const;
export type StepEvent = (typeof STEP_EVENTS)[number];

/** From `running` on, work may exist: a stop is confirmed or not at each stage. */
const stopped = { cancelled: 'cancelled', stuck: 'needs_manual_attention' } as const;

/** What an attempt that did not finish comes to. It is concluded where nothing is to be collected, or after it was. */
const unfinished = {
  requeued: 'queued',
  executor_failed: 'failed_executor',
  timed_out: 'timeout',
  quota_reached: 'waiting_quota',
} as const;

/**
 * DESIGN section 4. `requeued` is what recovery does with a stage that had no effect outside, and what follows a limit where the task allows
 * another executor; `retried` is asked for. Each arrow is one that the code takes: the model of `daemon/test/model` finds those that it does not.
 */
export const step = machine<StepState, StepEvent>('step', {
  queued: { prepared: 'preparing', preparation_failed: 'failed_preparation', cancelled: 'cancelled' },
  preparing: {
    started: 'running',
    requeued: 'queued',
    preparation_failed: 'failed_preparation',
    timed_out: 'timeout',
    cancelled: 'cancelled',
    stuck: 'needs_manual_attention',
  },
  running: { executed: 'collecting', outcome_unknown: 'indeterminate', ...unfinished, ...stopped },
  collecting: { collected: 'validating', ...stopped },
  validating: {
    fence_broken: 'failed_fence',
    validation_failed: 'failed_validation',
    preparation_failed: 'failed_preparation',
    held: 'needs_approval',
    completed: 'completed',
    completed_with_warnings: 'completed_with_warnings',
    ...unfinished,
    ...stopped,
  },
  needs_approval: {
    approved: 'completed',
    approved_with_warnings: 'completed_with_warnings',
    rejected: 'rejected',
    cancelled: 'cancelled',
  },
  waiting_quota: { resumed: 'queued', cancelled: 'cancelled' },
  completed: {},
  completed_with_warnings: {},
  rejected: {},
  cancelled: {},
  failed_validation: { retried: 'queued' },
  failed_fence: { retried: 'queued' },
  failed_executor: { retried: 'queued' },
  failed_preparation: { retried: 'queued' },
  timeout: { retried: 'queued' },
  indeterminate: { retried: 'queued' },
  needs_manual_attention: { retried: 'queued' },
});

/** The line of history that each event writes. */
export const STEP_EVENT_TYPES: Readonly<Record<StepEvent, EventType>> = {
  prepared: 'step.prepared',
  started: 'step.started',
  executed: 'step.executed',
  collected: 'step.collected',
  requeued: 'step.requeued',
  resumed: 'step.requeued',
  retried: 'step.requeued',
  preparation_failed: 'step.ended',
  executor_failed: 'step.ended',
  timed_out: 'step.ended',
  quota_reached: 'step.held',
  fence_broken: 'step.ended',
  validation_failed: 'step.ended',
  held: 'step.held',
  completed: 'step.ended',
  completed_with_warnings: 'step.ended',
  approved: 'step.approved',
  approved_with_warnings: 'step.approved',
  rejected: 'step.ended',
  cancelled: 'step.ended',
  outcome_unknown: 'step.ended',
  stuck: 'step.ended',
};
