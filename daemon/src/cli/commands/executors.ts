import type { Command } from 'commander';
import { addCommand, type Streams } from '../context.ts';
import { executorTable } from '../shown/instances.ts';

export const executorsCommand = (program: Command, streams: Streams): Command =>
  addCommand(
    program,
    streams,
    { use: 'executors [instance]', text: 'List what can perform a step, with the reason where something cannot' },
    async (context, [word]) => {
      const { addressedInstance } = await import('../addressed.ts');
      const { id } = await addressedInstance(context, word);
      const list = await context.ask('list_executors', { instance_id: id });
      context.out.result(list, () => executorTable(list.items));
    },
  );
