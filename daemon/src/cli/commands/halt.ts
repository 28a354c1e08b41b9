import type { Command } from 'commander';
import { addCommand, type Streams } from '../context.ts';
import { count } from '../layout.ts';

export const haltCommand = (program: Command, streams: Streams): Command =>
  addCommand(
    program,
    streams,
    { use: 'halt', text: 'End what runs and refuse everything until resume, whoever controls the relay' },
    async ({ ask, out }) => {
      const halted = await ask('halt', {});
      out.result(halted, `Halted; ${count(halted.stopped_steps, 'step')} stopped. Nothing is taken until fairlead resume.`);
    },
  );
