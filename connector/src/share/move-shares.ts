import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Clock } from '@fairlead/shared/kit/clock';
import type { Files } from '../config/files.ts';
import type { Identity } from '../identity/identity.ts';
import type { DaemonAccess } from './daemon-access.ts';
import { judgeShare } from './judge.ts';
import { fetchShare } from './renewal.ts';
import { changeShares, readShares, withShare, type ShareRecord } from './share-file.ts';

/** The shares that live, and that a connector with another key would have to give up. */
export const sharesOfOtherKey = async (files: Files, key: string, clock: Clock): Promise<ShareRecord[]> =>
  (await readShares(files)).filter(
    ({ grant }) => grant.connector_key !== key && grant.revoked_at === null && Date.parse(grant.expires_at) > clock.now(),
  );

export interface Moved {
  readonly instance_id: string;
  /** The grant that took the place of the old one, or null where that had ended already. */
  readonly grant_id: string | null;
}

const moveShare = async (record: ShareRecord, identity: Identity, daemon: DaemonAccess, clock: Clock): Promise<ShareRecord | null> => {
  const { instance_id, grant } = record;
  try {
    const moved = await daemon.operator.call(
      'move_grant',
      { grant_id: grant.id, connector_key: identity.key },
      // The same for a rerun, so that a crash in between moves no grant twice.
      { idempotencyKey: `rotate-${identity.key}-${grant.id.slice(-12)}` },
    );
    const fresh = await fetchShare({ instance_id, daemon: { url: daemon.url, home: daemon.home }, connector_token: moved.connector_token });
    const { served } = judgeShare(fresh, identity, clock.now());
    if (served.distrust !== null)
      throw new FairleadError(served.distrust, { detail: `The daemon's answer for ${instance_id} does not fit together` });
    return fresh;
  } catch (error) {
    if (error instanceof FairleadError && (error.code === 'grant_expired' || error.code === 'not_found')) return null;
    throw error;
  }
};

/**
 * Has the daemon move the grants of a connector's former key to its new one, share by share; each is served again from when it is written.
 * @throws FairleadError what the daemon says; those moved before stay moved, and asking again goes on with the others
 */
export const moveShares = async (files: Files, identity: Identity, daemon: DaemonAccess, clock: Clock): Promise<Moved[]> => {
  const done: Moved[] = [];
  for (const record of await sharesOfOtherKey(files, identity.key, clock)) {
    const fresh = await moveShare(record, identity, daemon, clock);
    // Only in the place of what was read: an unshare or a new share in the meantime wins.
    const same = (each: ShareRecord) => each.instance_id === record.instance_id && each.connector_token === record.connector_token;
    if (fresh) await changeShares(files, (all) => (all.some(same) ? withShare(all, fresh) : all));
    done.push({ instance_id: record.instance_id, grant_id: fresh?.grant.id ?? null });
  }
  return done;
};
