import { systemClock } from '@fairlead/shared/kit/clock';
import type { Command } from 'commander';
import { requireIdentity } from '../identity/identity.ts';
import { judgeShare } from '../share/judge.ts';
import { readShares } from '../share/share-file.ts';
import { addCommand, type Streams } from './context.ts';

export const listCommand = (program: Command, streams: Streams): void => {
  addCommand(program, streams, { use: 'list', text: 'list what is shared, and until when' }, async ({ files, out }) => {
    const identity = await requireIdentity(files);
    const now = systemClock.now();
    const items = (await readShares(files)).map((record) => {
      const { served } = judgeShare(record, identity, now);
      const { id, operations, executors, validations, budget, accept_relay_decisions, expires_at } = record.grant;
      const ended = served.revoked || now >= served.expiresAt;
      return {
        instance_id: record.instance_id,
        label: record.descriptor.label,
        grant_id: id,
        code: ended ? ('grant_expired' as const) : served.distrust,
        operations,
        executors,
        validations,
        budget,
        accept_relay_decisions,
        expires_at,
      };
    });
    out.result({ items }, () =>
      items.length === 0
        ? 'Nothing is shared.'
        : out.table([
            ['INSTANCE', 'LABEL', 'OPERATIONS', 'DECISIONS', 'ENDS', 'STATE'],
            ...items.map((item) => [
              item.instance_id,
              item.label,
              String(item.operations.length),
              item.accept_relay_decisions ? 'accepted' : 'local',
              item.expires_at.slice(0, 10),
              item.code ?? 'shared',
            ]),
          ]),
    );
  });
};
