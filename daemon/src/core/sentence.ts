import type { ChangeState } from '@fairlead/shared/contract/states';
import { STEP_STATES, type StepState } from '@fairlead/shared/contract/states';
import type { StepRecord } from './records.ts';

/** What a sentence is made of. No text of a planner or an agent is in it but names and ids that were checked. */
interface Told {
  readonly step: Pick<StepRecord, 'id' | 'state' | 'warnings' | 'reason' | 'gate_id' | 'change_id' | 'stop_requested_at' | 'resume_at'>;
  readonly position: number | null;
  readonly change_state: ChangeState | null;
  /** An agent asks for something, and a person has not decided yet. */
  readonly asked?: boolean;
}

/** Whether waiting again makes sense: something will change by itself. At an end and at a decision it does not. */
export const waitAgain = (state: StepState): boolean => !STEP_STATES[state].end && state !== 'needs_approval';

const CHANGE: Readonly<Record<ChangeState, string>> = {
  held: 'Its change is not integrated; integrate_change lands it.',
  integrating: 'Its change is being integrated.',
  integrated: 'Its change is integrated.',
  conflict: 'Its change does not replay onto the target as it is now.',
  failed_validation: 'Its change fails a check on the target as it is now.',
  discarded: 'Its change was discarded.',
};

const RETRY: Readonly<Record<'anyone' | 'local' | 'no', string>> = {
  anyone: 'retry_step queues it again as a new attempt.',
  local: 'Somebody at the machine must look at it, and may retry it there.',
  no: '',
};

const going = ({ step, position, asked }: Told): string => {
  if (step.stop_requested_at !== null) return 'It was asked to stop, and stops. Wait again.';
  if (asked)
    return `Its agent asks for something that a person must decide: ${step.gate_id ?? 'its gate'} (at the machine: fairlead gate approve). It goes on by itself afterwards, or without it when nobody decides.`;
  if (step.state === 'queued')
    return position === null ? 'It waits for its turn. Wait again.' : `It waits for its turn, at place ${position}. Wait again.`;
  if (step.state === 'waiting_quota')
    return 'The agent has reached a limit that resets at a known time; it goes on by itself. Wait again, but not at once.';
  return `It is ${step.state}: ${STEP_STATES[step.state].meaning}. Wait again.`;
};

/** What happened and what may be done next, in plain words. */
export const sentence = (told: Told): string => {
  const { step, change_state } = told;
  if (step.state === 'needs_approval') {
    return `Its work is finished and held by a gate. Do not wait: a person must decide on ${step.gate_id ?? 'the gate'} (at the machine: fairlead gate approve).`;
  }
  const facts = STEP_STATES[step.state];
  if (!facts.end) return going(told);
  const parts = [`It ended as ${step.state}: ${facts.meaning}.`];
  if (step.reason && !facts.meaning.includes(step.reason.code)) parts.push(`Reason: ${step.reason.code}.`);
  if (step.warnings.length > 0) parts.push(`Warnings: ${step.warnings.join(', ')}.`);
  if (facts.retry !== 'no') parts.push(RETRY[facts.retry]);
  else if (change_state !== null) parts.push(CHANGE[change_state]);
  return parts.join(' ');
};
