import { FairleadError } from '@fairlead/shared/contract/errors';
import { systemClock } from '@fairlead/shared/kit/clock';
import type { Command } from 'commander';
import { readIdentity } from '../identity/identity.ts';
import { readShares } from '../share/share-file.ts';
import { addCommand, type Streams } from './context.ts';
import { namingFlags } from './flag-names.ts';

interface EnrollOptions {
  readonly relay: string;
  readonly token: string;
  readonly label: string;
  readonly replace?: boolean;
}

export const enrollCommand = (program: Command, streams: Streams): void => {
  addCommand(
    program,
    streams,
    { use: 'enroll', text: 'enrol this machine with a relay, with a one-time token' },
    async ({ files, out }, command) => {
      const options = command.opts<EnrollOptions>();
      const known = await readIdentity(files).catch(() => undefined);
      if (known && !options.replace) {
        throw new FairleadError('invalid_input', {
          field: '--replace',
          rule: 'must be given to enrol again',
          detail: `This connector is enrolled with ${known.origin} already`,
          hint: 'Add --replace to give up that identity; what is shared there must then be shared again.',
        });
      }
      const { enroll } = await import('../enrollment/enroll.ts');
      const identity = await namingFlags({ secret: '--token', relay: '--relay', label: '--label' }, () =>
        enroll({ relay: options.relay, secret: options.token, label: options.label }, { files, clock: systemClock }),
      );
      const stale = (await readShares(files).catch(() => [])).length;
      if (stale > 0)
        out.note(
          `${stale} shared ${stale === 1 ? 'instance was' : 'instances were'} for the former identity: share again with fairlead-connector share.`,
        );
      const { connector_id, label, origin, relay_key } = identity;
      out.result({ connector_id, label, relay: origin, relay_key }, () =>
        [
          `Enrolled with ${origin} as ${connector_id}.`,
          `Pinned the relay's key ${relay_key}.`,
          'Nothing is shared by this. Next: fairlead-connector share, then fairlead-connector run.',
        ].join('\n'),
      );
    },
  )
    .requiredOption('--relay <url>', 'address of the relay, such as https://relay.example; plain http to this machine only')
    .requiredOption('--token <secret>', "the one-time token that the relay's operator made")
    .option('--label <label>', 'what this machine is to be called at the relay', 'machine')
    .option('--replace', 'give up the identity that this connector has');
};
