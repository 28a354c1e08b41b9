import { STEP_STATES } from '@fairlead/shared/contract/states';
import type { AttemptRecord } from '../core/records.ts';
import type { Reads } from '../ledger/ledger.ts';
import type { Earlier } from '../policy/prompt.ts';

/** What came of an attempt, for the agent that goes on with it: the daemon's own observations, and the redacted output of checks. */
export const earlierOf = (read: Reads, attempt: AttemptRecord): Earlier => {
  const step = read.step(attempt.step_id);
  const change = read.changes(attempt.step_id).find(({ attempt_id }) => attempt_id === attempt.id);
  const failed = read
    .validations({ step_id: attempt.step_id, attempt_id: attempt.id })
    .filter(({ passed, phase }) => phase === 'change' && !passed);
  const ended =
    attempt.state === 'finished' ? 'Your work was judged.' : `Your work was cut off: ${STEP_STATES[step?.state ?? 'queued'].meaning}.`;
  return {
    ended,
    failed: failed.map(({ name, exit_code, output_tail }) => ({ name, exit_code, output: output_tail })),
    findings: (change?.findings ?? []).filter(({ severity }) => severity === 'failed').map(({ message }) => message),
  };
};
