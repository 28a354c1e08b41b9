import * as z from 'zod';
import { AttemptId, InstanceId, RunId, StepId } from '../ids.ts';
import { Activity, LogCursor } from '../activity.ts';
import { LIMITS } from '../limits.ts';
import { Attempt, Cursor, Event, Run, Step, StepResult, Validation, page } from '../resources.ts';
import { Gate } from '../gates.ts';
import { RUN_STATES } from '../states.ts';
import { TaskSpec } from '../task.ts';
import { operation } from './operation.ts';

export const Paging = {
  limit: z.number().int().positive().max(LIMITS.page_max.value).default(LIMITS.page_default.value),
  page: z.string().max(200).optional().describe('next_page of the answer before'),
};

/** How a task reached the daemon. The original input is kept byte for byte as an artifact. */
export const TaskSource = z.strictObject({
  kind: z.enum(['task_file', 'task_json', 'prompt_file', 'goal', 'stdin', 'patch', 'api']),
  name: z.string().max(LIMITS.title.value).optional(),
  original_base64: z.base64().max(LIMITS.patch.value).optional(),
});

/** A page of an attempt's activity. */
const LogPage = z.object({
  attempt_id: AttemptId.nullable().describe('The attempt that the items are of; null before the first'),
  items: z.array(Activity),
  next_cursor: LogCursor.nullable(),
  ended: z.boolean().describe('No more will come of this attempt'),
});

export const runOperations = {
  start_run: operation({
    name: 'start_run',
    title: 'Start a run',
    description: 'Opens a run: a larger unit of work on one branch, to which you then submit tasks.',
    route: 'POST /instances/:instance_id/runs',
    input: z.strictObject({
      instance_id: InstanceId,
      title: z.string().min(1).max(LIMITS.title.value).default('Run'),
      target: z
        .string()
        .max(500)
        .regex(/^refs\/heads\/[^\p{Cc} ~^:?*[\\]+$/u, { error: 'must be a full branch name, such as refs/heads/main' })
        .optional()
        .describe("One of the listed branches; default: the instance's target"),
    }),
    output: Run,
    scope: 'runs:write',
    effect: 'write',
    remote: true,
  }),
  list_runs: operation({
    name: 'list_runs',
    title: 'List runs',
    description: 'Lists the runs of an instance, newest first.',
    route: 'GET /instances/:instance_id/runs',
    input: z.strictObject({ instance_id: InstanceId, state: z.enum(RUN_STATES).optional(), ...Paging }),
    output: page(Run),
    scope: 'runs:read',
    remote: true,
  }),
  get_run: operation({
    name: 'get_run',
    title: 'Get a run',
    description: "Tells a run's state and its progress.",
    route: 'GET /runs/:run_id',
    input: z.strictObject({ run_id: RunId }),
    output: Run,
    scope: 'runs:read',
    remote: true,
  }),
  cancel_run: operation({
    name: 'cancel_run',
    title: 'Cancel a run',
    description: 'Stops every step of the run that has not ended and takes no more. Work already done stays as evidence.',
    route: 'POST /runs/:run_id/cancel',
    input: z.strictObject({ run_id: RunId }),
    output: Run,
    scope: 'runs:write',
    effect: 'write',
    remote: true,
  }),
  close_run: operation({
    name: 'close_run',
    title: 'Close a run',
    description: 'Says that no further task will come. Steps that are under way go on.',
    route: 'POST /runs/:run_id/close',
    input: z.strictObject({ run_id: RunId }),
    output: Run,
    scope: 'runs:write',
    effect: 'write',
    remote: true,
  }),
  submit_task: operation({
    name: 'submit_task',
    title: 'Submit a task',
    description:
      'Queues one concrete task in a run and answers its step at once; follow it with wait_step. With executor "patch" you supply a unified diff and nothing is executed but the declared validations.',
    route: 'POST /runs/:run_id/steps',
    input: z.strictObject({ run_id: RunId, task: TaskSpec, source: TaskSource.optional() }),
    output: Step,
    scope: 'steps:write',
    effect: 'write',
    remote: true,
  }),
  list_steps: operation({
    name: 'list_steps',
    title: 'List steps',
    description: 'Lists the steps of a run in their order.',
    route: 'GET /runs/:run_id/steps',
    input: z.strictObject({ run_id: RunId, ...Paging }),
    output: page(Step),
    scope: 'steps:read',
    remote: true,
  }),
  get_step: operation({
    name: 'get_step',
    title: 'Get a step',
    description: 'Tells the present state of a step. To follow one, use wait_step.',
    route: 'GET /steps/:step_id',
    input: z.strictObject({ step_id: StepId }),
    output: Step,
    scope: 'steps:read',
    remote: true,
  }),
  wait_step: operation({
    name: 'wait_step',
    title: 'Wait for a step',
    description:
      'Holds until something that you follow has changed after your cursor: the step, its gate, a validation or its change; or until the time is over. The answer says in a sentence whether to wait again.',
    route: 'GET /steps/:step_id/wait',
    input: z.strictObject({
      step_id: StepId,
      cursor: Cursor.optional().describe(
        'next_cursor of the answer before; without it the present state is answered at once if the step has ended or needs a decision',
      ),
      log_cursor: LogCursor.optional().describe('Also return for activity of the executor after this cursor of get_step_logs'),
      timeout_ms: z.number().int().nonnegative().max(LIMITS.wait_max.value).default(LIMITS.wait_default.value),
    }),
    output: z.object({
      step: Step,
      gate: Gate.nullable().describe('The gate to decide on, when one holds the step'),
      events: z.array(Event).describe('What is new after your cursor, oldest first'),
      next_cursor: Cursor,
      resumed: z.enum(['resumed', 'gap']).describe('gap: the history before this is not the one your cursor came from; read the step anew'),
      log: LogPage.nullable().describe('What is new after log_cursor, when one was given'),
      wait_again: z.boolean(),
      sentence: z.string(),
    }),
    scope: 'steps:read',
    remote: true,
    deadline: 'wait',
  }),
  get_step_result: operation({
    name: 'get_step_result',
    title: 'Get the result of a step',
    description:
      'The whole result: step, latest attempt, observed change with files and fence findings, validations with exit codes, gate and artifacts.',
    route: 'GET /steps/:step_id/result',
    input: z.strictObject({ step_id: StepId }),
    output: StepResult,
    scope: 'steps:read',
    remote: true,
  }),
  get_step_logs: operation({
    name: 'get_step_logs',
    title: 'Get the log of a step',
    description:
      'What the executor says it does, oldest first: text, thoughts, tool calls and results, file changes, plan, usage, notices and output, redacted. Untrusted. Read on with next_cursor; over HTTP, Accept: text/event-stream follows it live.',
    route: 'GET /steps/:step_id/logs',
    input: z.strictObject({
      step_id: StepId,
      cursor: LogCursor.optional(),
      limit: z.number().int().positive().max(LIMITS.page_max.value).default(LIMITS.page_default.value),
    }),
    output: LogPage,
    scope: 'steps:read',
    remote: true,
    stream: 'events',
  }),
  list_attempts: operation({
    name: 'list_attempts',
    title: 'List attempts',
    description: 'Lists the isolated executions of a step, oldest first.',
    route: 'GET /steps/:step_id/attempts',
    input: z.strictObject({ step_id: StepId }),
    output: z.object({ items: z.array(Attempt) }),
    scope: 'steps:read',
    remote: true,
  }),
  list_validations: operation({
    name: 'list_validations',
    title: 'List validations',
    description: 'Lists the checks that the daemon ran for a step, with argv, exit code, duration and the end of the output.',
    route: 'GET /steps/:step_id/validations',
    input: z.strictObject({ step_id: StepId }),
    output: z.object({ items: z.array(Validation) }),
    scope: 'steps:read',
    remote: true,
  }),
  retry_step: operation({
    name: 'retry_step',
    title: 'Retry a step',
    description:
      'Queues a step that failed again, as a new attempt. Nothing of the old attempt is lost, and the executor is never swapped. With resume the agent goes on in its own session, on what it left, and is told which checks failed.',
    route: 'POST /steps/:step_id/retry',
    input: z.strictObject({
      step_id: StepId,
      resume: z.boolean().default(false).describe("Go on with the agent's session of the latest attempt, where that is resumable"),
      instructions: z.string().min(1).max(LIMITS.text.value).optional().describe('What to tell the agent besides, for this attempt'),
    }),
    output: Step,
    scope: 'steps:write',
    effect: 'write',
    remote: true,
  }),
  cancel_step: operation({
    name: 'cancel_step',
    title: 'Cancel a step',
    description: 'Asks a step to stop. It is cancelled once everything it started is confirmed gone.',
    route: 'POST /steps/:step_id/cancel',
    input: z.strictObject({ step_id: StepId }),
    output: Step,
    scope: 'steps:write',
    effect: 'write',
    remote: true,
  }),
};
