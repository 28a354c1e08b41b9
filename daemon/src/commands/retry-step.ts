import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Step } from '@fairlead/shared/contract/resources';
import { STEP_STATES } from '@fairlead/shared/contract/states';
import type { TaskSpec } from '@fairlead/shared/contract/task';
import type { StepRecord } from '../core/records.ts';
import type { Reads } from '../ledger/ledger.ts';
import { stepNow } from '../ledger/views.ts';
import { checkGrantedTask } from '../policy/grant.ts';
import { subjectOf } from '../policy/subject.ts';
import { causeOf, checkNotHalted, checkOpen, checkQueue, ownRun, ownStep, scopeOf, servedInstance } from './asking.ts';
import type { Asker, Command, CommandDeps } from './command.ts';
import { putAway } from '../ledger/put-away.ts';
import { checkExecutor } from './task-rules.ts';

/** @throws FairleadError `transition_refused`, `local_only` */
const checkMayRetry = (step: StepRecord, asker: Asker): void => {
  const { retry } = STEP_STATES[step.state];
  if (retry === 'no') {
    throw new FairleadError('transition_refused', {
      detail: `A step that is ${step.state} is not retried.`,
      rule: 'only a failed step is retried',
      more: { state: step.state },
    });
  }
  if (retry === 'local' && asker.remote)
    throw new FairleadError('local_only', { detail: `A step that is ${step.state} is retried at the machine, by somebody who has looked` });
};

/** The attempt whose session is gone on with. @throws FairleadError `session_unavailable` */
const resumableAttempt = (read: Reads, step: StepRecord): string => {
  const attempt = step.attempt_id === null ? undefined : read.attempt(step.attempt_id);
  if (attempt?.session) return attempt.id;
  throw new FairleadError('session_unavailable', {
    field: 'resume',
    rule: 'needs an attempt whose agent told the name of its session',
    detail: 'The latest attempt of this step left no session',
  });
};

/** What a local task brought as a command line is not run again from far away. @throws FairleadError `argv_not_allowed` */
const checkArgvOfRetry = (task: Pick<TaskSpec, 'validations'> | undefined, asker: Asker): void => {
  if (!asker.remote || !task?.validations.some((one) => typeof one !== 'string')) return;
  throw new FairleadError('argv_not_allowed', {
    rule: 'a remote task names validations',
    detail: 'The task of this step brings a command line',
    hint: 'Ask at the machine for the retry, or submit a task that names validations.',
  });
};

/**
 * Queues a step that failed again. It counts against the grant like a new one, and whoever retries it is one of those who asked for it.
 * @throws FairleadError `transition_refused`, `local_only`, `run_not_open`, `grant_spent`, `queue_full`, `executor_unavailable`, `grant_denied`, `argv_not_allowed`
 */
export const retryStep =
  (deps: CommandDeps): Command<'retry_step'> =>
  async (input, asker) => {
    const { ledger } = deps;
    const { id, instance_id, run_id } = ownStep(ledger.read, asker, input.step_id);
    const scope = scopeOf('retry_step', input, asker, { instance_id, run_id });
    const about = causeOf(asker);
    return ledger.record((tx) =>
      tx.idempotent(scope, (): Step => {
        const step = ownStep(tx.read, asker, id);
        checkNotHalted(tx.read);
        checkMayRetry(step, asker);
        checkOpen(ownRun(tx.read, asker, run_id));
        checkExecutor(deps, servedInstance(tx.read, asker, instance_id), step.executor_requested);
        checkQueue(tx.read, asker);
        const task = tx.read.task(id)?.spec;
        checkArgvOfRetry(task, asker);
        if (asker.grant) {
          const named = task?.validations.filter((one) => typeof one === 'string') ?? [];
          checkGrantedTask(asker.grant, { executor: step.executor_requested, validations: named });
          tx.spend(asker.grant.id, { steps: 1, wall_ms: step.timeout_ms });
        }
        const resumes = input.resume ? resumableAttempt(tx.read, step) : null;
        putAway(tx, step, about);
        const next = tx.move.step(
          id,
          'retried',
          {
            change_id: null,
            resumes,
            instructions: input.instructions ?? null,
            gate_id: null,
            remote: step.remote || asker.remote,
            grant_id: asker.grant?.id ?? step.grant_id,
            asked_by: [...new Set([...step.asked_by, subjectOf(asker)])],
          },
          about,
        );
        return stepNow(tx.read, next);
      }),
    );
  };
