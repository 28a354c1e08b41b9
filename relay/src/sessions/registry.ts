import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { prefixOf } from '@fairlead/shared/contract/ids';
import { Delegation } from '@fairlead/shared/contract/operations/daemon-admin';
import type { Clock } from '@fairlead/shared/kit/clock';
import { verifyDelegation } from '@fairlead/shared/kit/delegation';
import { judgeClaim } from '../core/claims.ts';
import type { InstanceRow } from '../store/instance-rows.ts';
import type { Store } from '../store/store.ts';
import { createPresence } from './presence.ts';

/** What a connector says about one instance that it shares. */
export interface Descriptor {
  readonly instance_id: string;
  readonly label: string;
  readonly machine: string;
  readonly default_branch: string;
  readonly executors: readonly string[];
  readonly operations: readonly string[];
  readonly origin_digest: string | null;
  readonly delegation: unknown;
}

export interface Advertiser {
  readonly id: string;
  readonly key: string;
}

export interface Taken {
  /** Instances that this connector serves from now on. */
  readonly accepted: InstanceRow[];
  /** Those of them of which something is new, and not only that their connector is here again. */
  readonly news: InstanceRow[];
  readonly refused: { readonly instance_id: string; readonly error: FairleadError }[];
  /** Instances that another connector served until now. */
  readonly moved: { readonly instance_id: string; readonly from: string }[];
}

/** The instances that connectors have shared with this relay, by routing prefix. */
export interface Registry {
  /** Takes a connector's authoritative full set: what is valid and newest is served by it, what is missing is withdrawn. */
  advertise(connector: Advertiser, descriptors: readonly Descriptor[]): Taken;
  find(prefix: string): InstanceRow | undefined;
  /** Shared ones, by id; also of connectors that are away. */
  shared(): InstanceRow[];
  sharedBy(connectorId: string): InstanceRow[];
  /** Notes when a connector was last there. */
  left(connectorId: string): void;
  /** Writes what was noted and is not on the disk yet. */
  close(): void;
  /** Withdraws all that a connector shares, as revoking it does. */
  withdrawAll(connectorId: string): void;
}

/** What a row holds of a delegation that was verified. */
type Verified = Pick<InstanceRow, 'id' | 'sequence' | 'certificate_number' | 'not_after'>;

const verify = (descriptor: Descriptor, connector: Advertiser, relayKey: string, now: number): Verified => {
  const parsed = Delegation.safeParse(descriptor.delegation);
  if (!parsed.success) throw new FairleadError('delegation_invalid', { detail: 'The delegation is not well formed.' });
  const document = verifyDelegation(parsed.data, { now });
  const differs = (what: string) => new FairleadError('delegation_invalid', { detail: `The delegation names another ${what}.` });
  if (document.instance_id !== descriptor.instance_id) throw differs('instance');
  if (document.connector_key !== connector.key) throw differs('connector');
  if (document.relay_key !== relayKey) throw differs('relay');
  return {
    id: document.instance_id,
    sequence: document.sequence,
    certificate_number: document.certificate.number,
    not_after: Math.min(Date.parse(document.not_after), Date.parse(document.certificate.not_after)),
  };
};

/** Of everything that the verification of a claim depends on, but for the time. */
const digestOf = ({ instance_id, delegation }: Descriptor, connector: Advertiser, relayKey: string): string =>
  createHash('sha256')
    .update(JSON.stringify([instance_id, delegation, connector.key, relayKey]))
    .digest('base64url');

/** Whether a claim tells nothing that the row before it did not, but that its connector is here again. */
const saysTheSame = (row: InstanceRow, before: InstanceRow | undefined): boolean =>
  before !== undefined && isDeepStrictEqual({ ...before, last_seen_at: 0 }, { ...row, last_seen_at: 0 });

/** More lists than these are forgotten all at once; rows that hold them keep them. */
const MOST_LISTS = 1000;

/** Most machines offer the same executors and operations, and a relay keeps them for each: equal lists become one. */
const sharedLists = () => {
  const known = new Map<string, readonly string[]>();
  return (list: readonly string[]): readonly string[] => {
    const key = JSON.stringify(list);
    const same = known.get(key);
    if (same) return same;
    if (known.size >= MOST_LISTS) known.clear();
    known.set(key, list);
    return list;
  };
};

const asError = (error: unknown): FairleadError =>
  error instanceof FairleadError ? error : new FairleadError('delegation_invalid', { cause: error });

export const openRegistry = ({
  store,
  clock,
  relayKey,
}: {
  readonly store: Store;
  readonly clock: Clock;
  readonly relayKey: string;
}): Registry => {
  const byPrefix = new Map<string, InstanceRow>();
  // What each connector serves, so that nothing that concerns one of them looks at all.
  const prefixesOf = new Map<string, Set<string>>();
  const remember = (row: InstanceRow) => {
    const before = byPrefix.get(row.prefix);
    if (before && before.connector_id !== row.connector_id) prefixesOf.get(before.connector_id)?.delete(row.prefix);
    const own = prefixesOf.get(row.connector_id);
    if (own) own.add(row.prefix);
    else prefixesOf.set(row.connector_id, new Set([row.prefix]));
    byPrefix.set(row.prefix, row);
  };
  const shared = sharedLists();
  for (const row of store.instances.all()) remember({ ...row, executors: shared(row.executors), operations: shared(row.operations) });
  const keep = (row: InstanceRow) => {
    store.instances.put(row);
    remember(row);
  };
  const sharedBy = (connectorId: string) =>
    [...(prefixesOf.get(connectorId) ?? [])].map((prefix) => byPrefix.get(prefix)!).filter((row) => row.withdrawn_at === null);
  const presence = createPresence({ store, clock });

  const claim = (connector: Advertiser, descriptor: Descriptor): { row: InstanceRow; from: string | undefined } => {
    const now = clock.now();
    const known = byPrefix.get(prefixOf(descriptor.instance_id));
    const claim_digest = digestOf(descriptor, connector, relayKey);
    // After a restart all connectors come back at once with what was verified before: two signatures each, which would keep them waiting.
    const isKnown = known?.claim_digest === claim_digest && known.not_after >= now;
    const verified = isKnown ? known : verify(descriptor, connector, relayKey, now);
    const verdict = judgeClaim(known && { instance_id: known.id, connector_id: known.connector_id, sequence: known.sequence }, {
      instance_id: verified.id,
      connector_id: connector.id,
      sequence: verified.sequence,
    });
    if (verdict === 'prefix_taken') throw new FairleadError('prefix_taken');
    if (verdict === 'instance_moved') throw new FairleadError('instance_moved');
    // The highest certificate wins, or a retired operational key could speak for the daemon again.
    if (known && verified.certificate_number < known.certificate_number)
      throw new FairleadError('delegation_invalid', { detail: 'A newer certificate of this daemon is known.' });
    const { label, machine, default_branch, executors, operations, origin_digest } = descriptor;
    const row: InstanceRow = {
      id: verified.id,
      prefix: prefixOf(verified.id),
      connector_id: connector.id,
      sequence: verified.sequence,
      certificate_number: verified.certificate_number,
      not_after: verified.not_after,
      claim_digest,
      label,
      machine,
      default_branch,
      executors: shared(executors),
      operations: shared(operations),
      origin_digest,
      last_seen_at: now,
      withdrawn_at: null,
    };
    const wasServed = verdict === 'granted_from_other' && known!.withdrawn_at === null;
    return { row, from: wasServed ? known!.connector_id : undefined };
  };

  return {
    advertise(connector, descriptors) {
      const taken: Taken = { accepted: [], news: [], refused: [], moved: [] };
      const judged = new Map<string, ReturnType<typeof claim>>();
      for (const descriptor of descriptors) {
        try {
          const made = claim(connector, descriptor);
          if ([...judged.values()].some(({ row }) => row.prefix === made.row.prefix && row.id !== made.row.id))
            throw new FairleadError('prefix_taken');
          judged.set(made.row.id, made);
        } catch (error) {
          taken.refused.push({ instance_id: descriptor.instance_id, error: asError(error) });
        }
      }
      const missing = sharedBy(connector.id).filter((row) => !judged.has(row.id));
      const withdrawn = missing.map((row) => ({ ...row, withdrawn_at: clock.now() }));
      taken.news.push(...[...judged.values()].map(({ row }) => row).filter((row) => !saysTheSame(row, byPrefix.get(row.prefix))));
      // Most connectors come back with what is known already, and after a restart all at once: that is not worth a write each.
      if (taken.news.length + withdrawn.length > 0)
        store.atomically(() => [...taken.news, ...withdrawn].forEach((row) => store.instances.put(row)));
      presence.seen(connector.id, [...judged.keys()]);
      withdrawn.forEach(remember);
      for (const { row, from } of judged.values()) {
        remember(row);
        taken.accepted.push(row);
        if (from !== undefined) taken.moved.push({ instance_id: row.id, from });
      }
      return taken;
    },
    find: (prefix) => byPrefix.get(prefix),
    shared: () => [...byPrefix.values()].filter((row) => row.withdrawn_at === null).sort((a, b) => (a.id < b.id ? -1 : 1)),
    sharedBy,
    left(connectorId) {
      const rows = sharedBy(connectorId).map((row) => ({ ...row, last_seen_at: clock.now() }));
      rows.forEach(remember);
      presence.seen(
        connectorId,
        rows.map(({ id }) => id),
      );
    },
    close: () => presence.close(),
    withdrawAll(connectorId) {
      const now = clock.now();
      store.atomically(() => sharedBy(connectorId).forEach((row) => keep({ ...row, withdrawn_at: now })));
    },
  };
};
