import { parseDuration } from '@fairlead/shared/kit/cli';
import type { Command } from 'commander';
import { addCommand, type Streams } from '../context.ts';
import { nextFor } from '../shown/next.ts';
import { attemptTable, resultText, stepTable, stepText, validationText } from '../shown/steps.ts';

interface StepOptions {
  readonly timeout?: string;
  readonly cursor?: string;
  readonly follow?: boolean;
  readonly resume?: boolean;
  readonly instructions?: string;
}

/** The commands that only read. */
const readCommands = (step: Command, streams: Streams): void => {
  addCommand(step, streams, { use: 'get <step>', text: 'Show the present state of a step' }, async ({ ask, out }, [id]) => {
    const found = await ask('get_step', { step_id: id! });
    out.result(found, () => stepText(found));
  });
  addCommand(step, streams, { use: 'list <run>', text: 'List the steps of a run' }, async ({ ask, out }, [id]) => {
    const list = await ask('list_steps', { run_id: id!, limit: 500 });
    out.result(list, () => stepTable(list.items));
  });
  addCommand(
    step,
    streams,
    { use: 'result <step>', text: 'Show change, validations, gate and evidence of a step' },
    async ({ ask, out }, [id]) => {
      const result = await ask('get_step_result', { step_id: id! });
      out.result(result, () => resultText(result));
    },
  );
  addCommand<StepOptions>(
    step,
    streams,
    { use: 'logs <step>', text: 'Show what the executor says and does (untrusted text)' },
    async (context, [id], { cursor, follow }) => {
      const { followLog, readLogs } = await import('../step-logs.ts');
      await (follow ? followLog(context, id!, cursor) : readLogs(context, id!, cursor));
    },
  )
    .option('--follow', 'go on until the step has ended')
    .option('--cursor <cursor>', 'next_cursor of an answer before');
  addCommand(step, streams, { use: 'attempts <step>', text: 'List the attempts of a step' }, async ({ ask, out }, [id]) => {
    const list = await ask('list_attempts', { step_id: id! });
    out.result(list, () => attemptTable(list.items));
  });
  addCommand(step, streams, { use: 'validations <step>', text: 'List the checks that were run' }, async ({ ask, out }, [id]) => {
    const list = await ask('list_validations', { step_id: id! });
    out.result(list, () => validationText(list.items));
  });
};

export const stepCommand = (program: Command, streams: Streams): Command => {
  const step = program.command('step').description('Show, follow, retry and cancel steps');
  readCommands(step, streams);
  addCommand<StepOptions>(
    step,
    streams,
    { use: 'wait <step>', text: 'Wait until a step has ended or needs a person; the exit code is that of its state' },
    async (context, [id], { timeout, cursor }) => {
      const { endWithState, followStep } = await import('../following.ts');
      const waited = await followStep(context, id!, timeout === undefined ? undefined : parseDuration(timeout, '--timeout'), cursor);
      const { change_id: changeId } = waited.step;
      const change = changeId === null || context.out.json ? null : await context.ask('get_change', { change_id: changeId });
      context.out.result(waited, () => [stepText(waited.step), ...nextFor({ ...waited, change })].join('\n\n'));
      endWithState(waited.step.state);
    },
  )
    .option('--timeout <time>', 'give up waiting after this time, with exit 3; the step goes on')
    .option('--cursor <cursor>', 'next_cursor of an answer before');
  addCommand<StepOptions>(
    step,
    streams,
    { use: 'retry <step>', text: 'Queue a failed step again as a new attempt' },
    async ({ ask, out }, [id], { resume, instructions }) => {
      const queued = await ask('retry_step', {
        step_id: id!,
        resume: resume ?? false,
        ...(instructions !== undefined && { instructions }),
      });
      out.result(queued, () => stepText(queued));
    },
  )
    .option('--resume', "go on with the agent's own session, on what it left")
    .option('--instructions <text>', 'what to tell the agent besides, for this attempt');
  addCommand(step, streams, { use: 'cancel <step>', text: 'Ask a step to stop' }, async ({ ask, out }, [id]) => {
    const stopping = await ask('cancel_step', { step_id: id! });
    out.result(stopping, () => stepText(stopping));
  });
  return step;
};
