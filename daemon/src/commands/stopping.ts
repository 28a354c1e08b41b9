import { STEP_STATES, STEP_STATE_NAMES, type StepState } from '@fairlead/shared/contract/states';
import { FairleadError } from '@fairlead/shared/contract/errors';
import type { StepRecord } from '../core/records.ts';
import type { About, Tx } from '../ledger/ledger.ts';
import { putAway } from '../ledger/put-away.ts';

const REASON = {
  cancel: { code: 'cancelled', message: 'Cancelled on request.' },
  halt: { code: 'halted', message: 'The owner halted the machine.' },
} as const;

/** Open states in which nothing of a step runs. */
const IDLE: ReadonlySet<StepState> = new Set(['queued', 'waiting_quota', 'needs_approval']);

/**
 * Asks a step to stop. One that does nothing at the moment is cancelled at once; one that works is asked to, and is cancelled when
 * all that it started is confirmed gone. Asking again changes nothing.
 * @throws FairleadError `transition_refused` for a step that has ended otherwise
 */
export const stopStep = (tx: Tx, step: StepRecord, why: 'cancel' | 'halt', about: About): StepRecord => {
  if (step.state === 'cancelled') return step;
  if (STEP_STATES[step.state].end) {
    throw new FairleadError('transition_refused', {
      detail: `The step has ended as ${step.state}; there is nothing to cancel.`,
      more: { state: step.state },
    });
  }
  if (!IDLE.has(step.state)) return tx.requestStop(step.id, why, about);
  if (step.state === 'needs_approval') putAway(tx, step, about);
  return tx.move.step(step.id, 'cancelled', { reason: REASON[why] }, about);
};

/** The states of steps that have not ended. */
export const GOING: readonly StepState[] = STEP_STATE_NAMES.filter((state) => !STEP_STATES[state].end);

/** The steps of a run that have not ended. */
export const goingSteps = (tx: Tx, runId: string): StepRecord[] => tx.read.stepsIn(GOING).filter(({ run_id }) => run_id === runId);
