import { printable } from '@fairlead/shared/kit/printable';
import type { Command } from 'commander';
import { addCommand, type Streams } from '../context.ts';

export const removeCommand = (program: Command, streams: Streams): Command =>
  addCommand(
    program,
    streams,
    { use: 'remove <instance>', text: 'Serve a repository no more; the repository and the evidence stay' },
    async (context, [word]) => {
      const { addressedInstance } = await import('../addressed.ts');
      const { id, label } = await addressedInstance(context, word);
      const removed = await context.ask('remove_instance', { instance_id: id });
      context.out.result(removed, `${printable(label)} (${id}) is served no more. Its evidence stays.`);
    },
  );
