import type { Event } from '@fairlead/shared/contract/resources';
import type { Command } from 'commander';
import { addCommand, type Action, type Streams } from '../context.ts';
import { eventLine } from '../shown/events.ts';

interface EventOptions {
  readonly instance?: string;
  readonly run?: string;
  readonly step?: string;
  readonly cursor?: string;
  readonly limit?: string;
  readonly follow?: boolean;
}

const follow = async (
  context: Parameters<Action<EventOptions>>[0],
  input: { instance_id: string; run_id?: string; step_id?: string; cursor?: string },
): Promise<void> => {
  const { eventsOf } = await import('../event-source.ts');
  for await (const message of eventsOf(context, input)) {
    if (message.kind === 'event') context.out.item(message.event, () => eventLine(message.event));
    else context.out.progress(message.text);
  }
};

export const eventsCommand = (program: Command, streams: Streams): Command =>
  addCommand<EventOptions>(
    program,
    streams,
    { use: 'events', text: 'Read the history of an instance; --follow prints what comes' },
    async (context, _, options) => {
      const { addressedInstance } = await import('../addressed.ts');
      const { id } = await addressedInstance(context, options.instance);
      const input = {
        instance_id: id,
        ...(options.run !== undefined && { run_id: options.run }),
        ...(options.step !== undefined && { step_id: options.step }),
        ...(options.cursor !== undefined && { cursor: options.cursor }),
      };
      if (options.follow) return follow(context, input);
      const list = await context.ask('list_events', { ...input, ...(options.limit !== undefined && { limit: Number(options.limit) }) });
      context.out.result(list, () => list.items.map((event: Event) => eventLine(event)).join('\n') || 'No events.');
      if (list.more) context.out.note(`There are more: --cursor ${list.next_cursor}`);
    },
  )
    .option('--instance <instance>', 'id, label or path; default: the repository of this folder')
    .option('--run <run>', 'only those of a run')
    .option('--step <step>', 'only those of a step')
    .option('--cursor <cursor>', 'read on after this')
    .option('--limit <count>', 'rows of a page')
    .option('--follow', 'go on with what comes; one JSON document per line with --json');
