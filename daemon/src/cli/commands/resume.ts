import type { Command } from 'commander';
import { addCommand, type Streams } from '../context.ts';

export const resumeCommand = (program: Command, streams: Streams): Command =>
  addCommand(program, streams, { use: 'resume', text: 'Take work again after halt' }, async ({ ask, out }) => {
    const resumed = await ask('resume', {});
    out.result(resumed, 'Work is taken again.');
  });
