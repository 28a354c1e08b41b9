import { createClient } from '@fairlead/shared/contract/client';
import type { FairleadError } from '@fairlead/shared/contract/errors';
import type { Clock } from '@fairlead/shared/kit/clock';
import { nodeTransport } from '@fairlead/shared/kit/http-client';
import type { Log } from '@fairlead/shared/kit/log';
import type { Files } from '../config/files.ts';
import { RENEWAL_RETRY, renewalDelay } from '../core/renewal.ts';
import { readEndpoint } from './daemon-access.ts';
import { judgeShare, type JudgedShare, type Party } from './judge.ts';
import { changeShares, withShare, type ShareRecord } from './share-file.ts';

/**
 * Asks the daemon, with the connector's own credential, for the share as it now is: grant, fresh delegation, descriptor.
 * @throws FairleadError what the daemon said, or `daemon_not_running`
 */
export const fetchShare = async ({
  instance_id,
  daemon,
  connector_token,
}: Pick<ShareRecord, 'instance_id' | 'daemon' | 'connector_token'>): Promise<ShareRecord> => {
  const url = (daemon.home !== null && (await readEndpoint(daemon.home))) || daemon.url;
  const client = createClient({ url, prefix: '/api/v1', token: connector_token, transport: nodeTransport() });
  const { grant, delegation, label, machine, default_branch, executors, origin_digest } = await client.call('get_delegation', {
    instance_id,
  });
  const descriptor = { label, machine, default_branch, executors, origin_digest };
  return { instance_id, descriptor, grant, delegation, daemon: { url, home: daemon.home }, connector_token };
};

interface Renewing {
  readonly files: Files;
  readonly party: Party;
  readonly clock: Clock;
  readonly log: Log;
  readonly shares: () => ReadonlyMap<string, JudgedShare>;
}

export interface Renewal {
  /** Looks at the shares anew and plans the next renewal. */
  plan(): void;
  stop(): void;
}

/**
 * Renews each delegation well before it ends. What it gets goes into the file, from where it takes effect like any other change. A share
 * whose copy is not to be believed is left alone: only its owner mends it.
 */
export const createRenewal = ({ files, party, clock, log, shares }: Renewing): Renewal => {
  const due = new Map<string, { readonly signed: string; readonly at: number }>();
  let cancel: (() => void) | undefined;
  let stopped = false;

  const renew = async ({ record }: JudgedShare): Promise<void> => {
    const id = record.instance_id;
    try {
      const renewed = await fetchShare(record);
      const { served } = judgeShare(renewed, party, clock.now());
      if (served.distrust !== null) throw new TypeError(`the daemon answered a share that does not hold: ${served.distrust}`);
      due.set(id, {
        signed: renewed.delegation.delegation.payload,
        at: clock.now() + renewalDelay({ left: served.provenUntil - clock.now(), fresh: true }),
      });
      // Only in the place of what was read: an unshare or a new share in the meantime wins.
      const same = (each: ShareRecord) => each.instance_id === id && each.connector_token === record.connector_token;
      await changeShares(files, (all) => (all.some(same) ? withShare(all, renewed) : all));
    } catch (error) {
      log.warn({ instance: id, code: (error as FairleadError).code, err: error }, 'a delegation could not be renewed');
      due.set(id, { signed: record.delegation.delegation.payload, at: clock.now() + RENEWAL_RETRY });
    }
  };

  const dueAt = ({ record, served }: JudgedShare): number => {
    const signed = record.delegation.delegation.payload;
    const known = due.get(record.instance_id);
    if (known?.signed === signed) return known.at;
    const at = clock.now() + renewalDelay({ left: served.provenUntil - clock.now(), fresh: false });
    due.set(record.instance_id, { signed, at });
    return at;
  };

  const plan = () => {
    cancel?.();
    if (stopped) return;
    const now = clock.now();
    const renewable = [...shares().values()].filter(
      ({ served }) => served.distrust !== 'grant_untrusted' && !served.revoked && now < served.expiresAt,
    );
    const next = renewable.reduce((soonest, share) => Math.min(soonest, dueAt(share)), Infinity);
    if (next === Infinity) return;
    cancel = clock.after(Math.max(0, next - now), () => {
      const ready = renewable.filter((share) => dueAt(share) <= clock.now());
      void Promise.all(ready.map(renew)).then(plan);
    });
  };

  return {
    plan,
    stop() {
      stopped = true;
      cancel?.();
    },
  };
};
