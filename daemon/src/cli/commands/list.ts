import type { Command } from 'commander';
import { addCommand, type Streams } from '../context.ts';
import { instanceTable, instanceText } from '../shown/instances.ts';

export const listCommand = (program: Command, streams: Streams): Command =>
  addCommand(
    program,
    streams,
    { use: 'list [instance]', text: 'List the registered repositories, or show one with its policy' },
    async (context, [word]) => {
      if (word === undefined) {
        const list = await context.ask('list_instances', {});
        return context.out.result(list, () => instanceTable(list.items));
      }
      const { addressedInstance } = await import('../addressed.ts');
      const instance = await context.ask('get_instance', { instance_id: (await addressedInstance(context, word)).id });
      context.out.result(instance, () => instanceText(instance));
    },
  );
