import type { Command } from 'commander';
import type { OutputOf } from '@fairlead/shared/contract/operations/table';
import { addCommand, type Streams } from '../context.ts';
import { bytes, fields } from '../layout.ts';

type Workspaces = OutputOf<'daemon_status'>['workspaces'];
type Instance = Workspaces['instances'][number];

const checkoutsText = (of: Workspaces): string => {
  if (of.folders_per_instance === 0) return 'none ready: the pool is switched off';
  const ready = of.instances.reduce((sum, one) => sum + one.ready, 0);
  return `${ready} ready, ${bytes(of.pool_bytes)} of at most ${bytes(of.pool_budget_bytes)}, ${of.folders_per_instance} for each instance`;
};

const isShown = ({ ready, held_back, provisioned }: Instance): boolean => ready > 0 || held_back !== null || provisioned !== null;

const HELD_BACK = { budget: 'no more within the budget', disk: 'no more on this disk' } as const;

const instanceText = ({ ready, bytes: size, held_back, provisioned }: Instance): string =>
  [
    `${ready} ready, ${bytes(size)}`,
    held_back && HELD_BACK[held_back],
    provisioned?.copied.length && `copied: ${provisioned.copied.join(' ')}`,
    provisioned?.mounted_read_only.length && `mounted read-only: ${provisioned.mounted_read_only.join(' ')}`,
    provisioned?.post_create && 'with a post-create hook',
  ]
    .filter(Boolean)
    .join('; ');

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
            ['checkouts', checkoutsText(status.workspaces)],
            ...status.workspaces.instances.filter(isShown).map((one): [string, string] => ['', `${one.label}: ${instanceText(one)}`]),
            ['process', `${bytes(status.process.memory_bytes)} of memory, event loop late by ${status.process.loop_delay_p99_ms} ms (p99)`],
            ['space', `ledger ${bytes(status.ledger_bytes)}, artifacts ${bytes(status.artifact_bytes)}`],
          ]),
        ].join('\n'),
      );
    },
  );
