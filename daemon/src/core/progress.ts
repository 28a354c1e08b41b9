import type { RunProgress, StepState } from '@fairlead/shared/contract/states';

const DECIDES: Readonly<Record<StepState, Exclude<RunProgress, 'empty'>>> = {
  queued: 'running',
  preparing: 'running',
  running: 'running',
  collecting: 'running',
  validating: 'running',
  waiting_quota: 'running',
  needs_approval: 'needs_approval',
  completed: 'done',
  completed_with_warnings: 'done',
  rejected: 'done',
  cancelled: 'done',
  failed_validation: 'failed',
  failed_fence: 'failed',
  failed_executor: 'failed',
  failed_preparation: 'failed',
  timeout: 'failed',
  indeterminate: 'failed',
  needs_manual_attention: 'failed',
};

/** What asks most for attention comes first: a person is waited for, then work goes on, then something failed. */
const ORDER = ['needs_approval', 'running', 'failed', 'done'] as const;

/** How a run stands, from the states of its steps. It is derived at every read and never stored. */
export const runProgress = (counts: Readonly<Partial<Record<StepState, number>>>): RunProgress => {
  const present = new Set<RunProgress>();
  for (const [state, count] of Object.entries(counts)) if (count > 0) present.add(DECIDES[state as StepState]);
  return ORDER.find((progress) => present.has(progress)) ?? 'empty';
};
