import type { Command } from 'commander';
import { addCommand, type Streams } from '../context.ts';
import { bytes, fields } from '../layout.ts';

export const statusCommand = (program: Command, streams: Streams): Command =>
  addCommand(
    program,
    streams,
    { use: 'status', text: 'Show what the daemon serves, what runs and waits, and its sandbox' },
    async (context) => {
      const { out } = context;
      const { askStatus } = await import('../daemon-status.ts');
      const status = await askStatus(context);
      out.result(status, () =>
        [
          status.halted ? out.colour('red', 'HALTED: nothing is taken until fairlead resume') : 'The daemon is running.',
          fields([
            ['version', status.version],
            ['since', status.started_at],
            ['machine', status.machine],
            ['confinement', status.confinement === 'unconfined' ? `none: ${status.confinement_detail}` : status.confinement_detail],
            ['instances', status.instances],
            [
              'steps',
              `${status.steps.active} active of at most ${status.parallelism}, ${status.steps.queued} queued, ${status.steps.needs_approval} held by a gate`,
            ],
            ['space', `ledger ${bytes(status.ledger_bytes)}, artifacts ${bytes(status.artifact_bytes)}`],
          ]),
        ].join('\n'),
      );
    },
  );
