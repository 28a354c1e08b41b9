import { STEP_STATES } from '@fairlead/shared/contract/states';
import { parseDuration } from '@fairlead/shared/kit/cli';
import type { Command } from 'commander';
import { addCommand, many, type Action, type Streams } from '../context.ts';
import { resultText, stepText } from '../shown/steps.ts';
import type { TaskOptions } from '../task-input.ts';

interface SubmitOptions extends TaskOptions {
  readonly instance?: string;
  readonly run?: string;
  readonly key?: string;
  readonly wait?: boolean;
  readonly waitTimeout?: string;
}

const submit: Action<SubmitOptions> = async (context, [file], options) => {
  const { ask, out } = context;
  const [{ readTask }, { addressedInstance }, { newKey }] = await Promise.all([
    import('../task-input.ts'),
    import('../addressed.ts'),
    import('../connection.ts'),
  ]);
  const { task, source } = await readTask(file, options, process.stdin);
  const key = options.key ?? newKey();
  const named = options.run ?? (typeof task.run_id === 'string' ? task.run_id : undefined);
  let runId = named;
  if (runId === undefined) {
    const instance = await addressedInstance(context, options.instance);
    const title = typeof task.title === 'string' && task.title !== '' ? task.title : 'Run';
    runId = (await ask('start_run', { instance_id: instance.id, title: title.slice(0, 200) }, { key: `${key}.run` })).id;
  }
  const step = await ask('submit_task', { run_id: runId, task, source }, { key });
  if (!options.wait) return out.result(step, () => `${stepText(step)}\n\nFollow it: fairlead step wait ${step.id}`);
  const { endWithState, followStep } = await import('../following.ts');
  out.progress(`Step ${step.id} is ${step.state}: ${STEP_STATES[step.state].meaning}`);
  await followStep(context, step.id, options.waitTimeout === undefined ? undefined : parseDuration(options.waitTimeout, '--wait-timeout'));
  const result = await ask('get_step_result', { step_id: step.id });
  out.result(result, () => resultText(result));
  endWithState(result.step.state);
};

const TEXT = `Submit one task, in exactly one of five forms: a task file (YAML or JSON), --task-json, --prompt-file, --goal or --stdin.
A --patch may stand alone, or beside one of these, such as a --goal that says what it is for. Without --run a new run is started. With --wait the exit code is that of the step's state.`;

export const submitCommand = (program: Command, streams: Streams): Command =>
  addCommand<SubmitOptions>(program, streams, { use: 'submit [task-file]', text: TEXT }, submit)
    .summary('Submit a task')
    .option('--task-json <path>', 'a task as JSON; - reads standard input')
    .option('--prompt-file <path>', 'a file whose text is the goal')
    .option('--goal <text>', 'the goal itself')
    .option('--stdin', 'the goal from standard input')
    .option('--patch <file>', 'a unified diff for the patch executor')
    .option('--title <text>', 'one line; becomes the subject of the commit that lands')
    .option('--context <text>', 'what else is to be known')
    .option('--constraint <text>', 'a constraint; may be repeated', many)
    .option('--allow <pattern>', 'narrow what the change may touch; may be repeated', many)
    .option('--forbid <pattern>', 'what the change must not touch; may be repeated', many)
    .option('--validation <name>', 'an optional validation to run as well; may be repeated', many)
    .option('--acceptance <text>', 'when the work counts as done; may be repeated', many)
    .option('--stop-condition <text>', 'when to stop; may be repeated', many)
    .option('--base <base>', '"target", a step of the same run, or a commit')
    .option('--executor <id>', 'who performs it, as fairlead executors prints it')
    .option('--timeout <time>', 'the limit of the step, such as 90s or 10m')
    .option('--gate', 'ask for a gate even where the policy would open none')
    .option('--instance <instance>', 'id, label or path; default: the repository of this folder')
    .option('--run <run>', 'the run it belongs to')
    .option('--key <key>', 'idempotency key; the same key submits once')
    .option('--wait', 'wait until the step has ended or needs a person')
    .option('--wait-timeout <time>', 'give up waiting after this time, with exit 3; the step goes on');
