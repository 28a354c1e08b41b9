import type { Command } from 'commander';
import { addCommand, type CliContext, type Streams } from '../context.ts';
import { runTable, runText } from '../shown/instances.ts';
import { stepTable } from '../shown/steps.ts';

interface RunOptions {
  readonly instance?: string;
  readonly title?: string;
  readonly target?: string;
  readonly state?: 'open' | 'closed' | 'cancelled';
  readonly limit?: string;
  readonly page?: string;
}

const INSTANCE = ['--instance <instance>', 'id, label or path; default: the repository of this folder'] as const;

const addressed = async (context: CliContext, word: string | undefined): Promise<string> =>
  (await (await import('../addressed.ts')).addressedInstance(context, word)).id;

export const runCommand = (program: Command, streams: Streams): Command => {
  const run = program.command('run').description('Start, list, show, close and cancel runs');
  addCommand<RunOptions>(run, streams, { use: 'start', text: 'Start a run' }, async (context, _, { instance, title, target }) => {
    const started = await context.ask('start_run', {
      instance_id: await addressed(context, instance),
      ...(title !== undefined && { title }),
      ...(target !== undefined && { target: target.startsWith('refs/') ? target : `refs/heads/${target}` }),
    });
    context.out.result(started, () => runText(started));
  })
    .option(...INSTANCE)
    .option('--title <text>', 'what the run is about')
    .option('--target <branch>', 'one of the listed branches');
  addCommand<RunOptions>(
    run,
    streams,
    { use: 'list', text: 'List runs, newest first' },
    async (context, _, { instance, state, limit, page }) => {
      const list = await context.ask('list_runs', {
        instance_id: await addressed(context, instance),
        ...(state && { state }),
        ...(limit !== undefined && { limit: Number(limit) }),
        ...(page !== undefined && { page }),
      });
      context.out.result(list, () => runTable(list.items));
      if (list.next_page !== null) context.out.note(`There are more: --page ${list.next_page}`);
    },
  )
    .option(...INSTANCE)
    .option('--state <state>', 'open, closed or cancelled')
    .option('--limit <count>', 'rows of a page')
    .option('--page <page>', 'next_page of the answer before');
  addCommand(run, streams, { use: 'get <run>', text: 'Show a run with its steps' }, async ({ ask, out }, [id]) => {
    const [found, steps] = await Promise.all([ask('get_run', { run_id: id! }), ask('list_steps', { run_id: id!, limit: 500 })]);
    out.result({ ...found, items: steps.items }, () => `${runText(found)}\n\n${stepTable(steps.items)}`);
  });
  addCommand(run, streams, { use: 'close <run>', text: 'Say that no further task will come' }, async ({ ask, out }, [id]) => {
    const closed = await ask('close_run', { run_id: id! });
    out.result(closed, () => runText(closed));
  });
  addCommand(run, streams, { use: 'cancel <run>', text: 'Stop every step of a run' }, async ({ ask, out }, [id]) => {
    const cancelled = await ask('cancel_run', { run_id: id! });
    out.result(cancelled, () => runText(cancelled));
  });
  return run;
};
