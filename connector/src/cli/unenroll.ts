import { FairleadError } from '@fairlead/shared/contract/errors';
import { EXIT } from '@fairlead/shared/contract/states';
import { CommandEnd } from '@fairlead/shared/kit/cli';
import type { Command } from 'commander';
import type { Files } from '../config/files.ts';
import type { Settings } from '../config/settings.ts';
import { removeIdentity, requireIdentity, type Identity } from '../identity/identity.ts';
import { daemonAccess } from '../share/daemon-access.ts';
import { readShares } from '../share/share-file.ts';
import { unshareInstance } from '../share/share-instance.ts';
import { addCommand, type Streams } from './context.ts';

interface Ended {
  readonly instance_id: string;
  readonly grant_id: string;
  readonly revoked: boolean;
}

/** Takes every instance back, one after the other. */
const endShares = async (files: Files, settings: Settings): Promise<Ended[]> => {
  const ended: Ended[] = [];
  for (const { instance_id } of await readShares(files)) {
    const { grantId, revoked } = await unshareInstance(files, instance_id, () => daemonAccess(settings));
    ended.push({ instance_id, grant_id: grantId, revoked });
  }
  return ended;
};

/** What only somebody else can still do, in words. */
const leftToDo = ({ connector_id, origin }: Identity, ended: readonly Ended[], told: boolean): string[] => {
  const grants = ended.filter(({ revoked }) => !revoked).length;
  return [
    ...(told
      ? []
      : [`The relay at ${origin} still lists this machine. Its operator ends that: fairlead-relay connector revoke ${connector_id}`]),
    ...(grants > 0
      ? [
          `The daemon could not be asked to end ${grants} ${grants === 1 ? 'grant' : 'grants'}. The credentials have been thrown away, so nobody can use them; each ends by itself at its time.`,
        ]
      : []),
  ];
};

const tellRelay = async (identity: Identity): Promise<void> => {
  const { askToLeave } = await import('../enrollment/asking.ts');
  try {
    await askToLeave(identity);
  } catch (error) {
    if (!(error instanceof FairleadError)) throw error;
    throw new FairleadError(error.code, {
      ...error.context,
      hint: 'Everything shared was taken back; the identity is still here. Try again, or add --offline to leave without the relay.',
      cause: error,
    });
  }
};

export const unenrollCommand = (program: Command, streams: Streams): void => {
  addCommand(
    program,
    streams,
    { use: 'unenroll', text: 'take everything back, leave the relay, and forget the identity' },
    async ({ files, settings, out }, command) => {
      const { offline = false } = command.opts<{ offline?: boolean }>();
      const identity = await requireIdentity(files);
      const ended = await endShares(files, settings);
      // The key goes last: until the relay knows, it is what proves who asks.
      if (!offline) await tellRelay(identity);
      await removeIdentity(files);
      const { connector_id, origin } = identity;
      const left = leftToDo(identity, ended, !offline);
      out.result({ connector_id, relay: origin, unenrolled: true, relay_told: !offline, shares: ended, left }, () =>
        [
          `This machine is no longer ${connector_id} of ${origin}.`,
          ...(ended.length > 0 ? [`${ended.length} ${ended.length === 1 ? 'instance was' : 'instances were'} taken back.`] : []),
        ].join('\n'),
      );
      for (const words of left) out.note(words);
      if (left.length > 0) throw new CommandEnd(EXIT.attention);
    },
  ).option('--offline', 'do not ask the relay, which may be gone; says what is left to do there');
};
