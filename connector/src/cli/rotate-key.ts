import { systemClock } from '@fairlead/shared/kit/clock';
import type { Command } from 'commander';
import { commitNextKey, finishNextKey, nextKey, requireIdentity, type Identity } from '../identity/identity.ts';
import { daemonAccess } from '../share/daemon-access.ts';
import { moveShares, sharesOfOtherKey } from '../share/move-shares.ts';
import { addCommand, type CliContext, type Streams } from './context.ts';

/** The daemon, once it has answered; asked before anything is changed, because without it what is shared could not come along. */
const answeringDaemon = async (settings: CliContext['settings']) => {
  const daemon = await daemonAccess(settings);
  await daemon.operator.call('daemon_status', {});
  return daemon;
};

/**
 * Puts a new key in the place of the old one: stored, then told to the relay, then in the identity, then in each grant. Stopped anywhere, it
 * goes on from there when it is asked for again: the stored key is the mark that it has not ended.
 */
const rotate = async (former: Identity, { files, settings }: CliContext) => {
  const next = await nextKey(files);
  const begun = next.publicKey === former.key;
  const shared = await sharesOfOtherKey(files, next.publicKey, systemClock);
  const daemon = shared.length > 0 ? await answeringDaemon(settings) : undefined;
  let identity = former;
  if (!begun) {
    const { askForRotation } = await import('../enrollment/asking.ts');
    await askForRotation(former, next);
    identity = await commitNextKey(files, former, next);
  }
  const moved = daemon ? await moveShares(files, identity, daemon, systemClock) : [];
  await finishNextKey(files);
  return { identity, moved };
};

export const rotateKeyCommand = (program: Command, streams: Streams): void => {
  addCommand(
    program,
    streams,
    { use: 'rotate-key', text: "put a new key in the place of this connector's, at the relay and in what is shared" },
    async (context) => {
      const { identity, moved } = await rotate(await requireIdentity(context.files), context);
      const { connector_id, origin, key } = identity;
      const ended = moved.filter(({ grant_id }) => grant_id === null).length;
      context.out.result({ connector_id, relay: origin, key, shares: moved }, () =>
        [
          `${connector_id} has the key ${key} from now on; the old one opens nothing at ${origin} any more.`,
          ...(moved.length > ended ? [`Moved what is shared: ${moved.length - ended}, with the same operations, ends and budgets.`] : []),
        ].join('\n'),
      );
      if (ended > 0) context.out.note(`${ended} had ended at the daemon. To share again: fairlead-connector share.`);
    },
  );
};
