import { FairleadError } from '@fairlead/shared/contract/errors';
import { OPERATIONS, defaultGrantOperations, type OperationTable } from '@fairlead/shared/contract/operations/table';
import { randomBytes, type Clock } from '@fairlead/shared/kit/clock';
import type { Files } from '../config/files.ts';
import { allowlistOf } from '../core/allowlist.ts';
import type { Identity } from '../identity/identity.ts';
import type { DaemonAccess } from './daemon-access.ts';
import { judgeShare } from './judge.ts';
import { fetchShare } from './renewal.ts';
import { changeShares, ensureRoom, readShares, withShare, type ShareRecord } from './share-file.ts';

export interface ShareOrder {
  readonly instance: string;
  /** Names of operations; `default` stands for the default ones. Empty is the default. */
  readonly allow: readonly string[];
  readonly executors: readonly string[] | null;
  readonly validations: readonly string[] | null;
  readonly steps: number | null;
  readonly wallMs: number | null;
  readonly days: number | undefined;
  readonly acceptDecisions: boolean;
}

interface Sharing {
  readonly files: Files;
  readonly identity: Identity;
  readonly daemon: DaemonAccess;
  readonly clock: Clock;
}

const key = (): string => `share-${randomBytes(16).toString('base64url')}`;

/**
 * The operations that an order shares. A list replaces the default, so that a narrow share is written as it reads. Decisions are shared
 * only with the flag that says what they mean: those that are named, or all where no list is given.
 * @throws FairleadError `invalid_input` for names that are not remote operations, `authority_required`
 */
export const orderedOperations = (
  { allow, acceptDecisions }: Pick<ShareOrder, 'allow' | 'acceptDecisions'>,
  table: OperationTable = OPERATIONS,
): string[] => {
  const allowlist = allowlistOf(table);
  const usual = defaultGrantOperations(table);
  const decisions = [...allowlist.values()].filter((row) => row.effect === 'decide').map((row) => row.name);
  if (allow.length === 0) return acceptDecisions ? [...usual, ...decisions] : usual;
  const named = [...new Set(allow.flatMap((name) => (name === 'default' ? usual : [name])))];
  for (const name of named) {
    if (!allowlist.has(name) && !usual.includes(name)) {
      throw new FairleadError('invalid_input', {
        field: 'allow',
        rule: 'must be an operation that may be asked remotely, or "default"',
        detail: `${name} is no operation that can be shared`,
        more: { available: ['default', ...allowlist.keys()] },
      });
    }
    if (decisions.includes(name) && !acceptDecisions)
      throw new FairleadError('authority_required', {
        field: 'allow',
        detail: `${name} decides`,
        hint: 'Add --accept-relay-decisions if decisions that come through the relay are to count.',
      });
  }
  return named;
};

/** Ends a former grant of the same instance, so that sharing again narrower narrows. */
const revokeFormer = async ({ daemon }: Sharing, former: ShareRecord | undefined, grantId: string): Promise<void> => {
  if (!former || former.grant.id === grantId) return;
  await daemon.operator.call('revoke_grant', { grant_id: former.grant.id }, { idempotencyKey: key() }).catch((error: unknown) => {
    // One that has ended, or that the daemon replaced by itself, is what is wanted.
    if (error instanceof FairleadError && ['not_found', 'transition_refused', 'grant_expired'].includes(error.code)) return;
    throw error;
  });
};

/**
 * Has the daemon grant this connector an instance, and keeps what it answered. A running connector takes it up at once.
 * @throws FairleadError what the daemon says, or `grant_untrusted` when its answer does not fit together
 */
export const shareInstance = async (order: ShareOrder, sharing: Sharing): Promise<ShareRecord> => {
  const { files, identity, daemon, clock } = sharing;
  await ensureRoom(files);
  const former = (await readShares(files)).find((share) => share.instance_id === order.instance);
  const granted = await daemon.operator.call(
    'create_grant',
    {
      instance_id: order.instance,
      connector_key: identity.key,
      relay_key: identity.relay_key,
      operations: orderedOperations(order),
      executors: order.executors === null ? null : [...order.executors],
      validations: order.validations === null ? null : [...order.validations],
      steps: order.steps,
      wall_ms: order.wallMs,
      ...(order.days !== undefined && { days: order.days }),
      accept_relay_decisions: order.acceptDecisions,
    },
    { idempotencyKey: key() },
  );
  await revokeFormer(sharing, former, granted.grant.id);
  // The rest of what is told about the instance, asked for with the new credential: it is thereby known to work.
  const record = await fetchShare({
    instance_id: order.instance,
    daemon: { url: daemon.url, home: daemon.home },
    connector_token: granted.connector_token,
  });
  const { served } = judgeShare(record, identity, clock.now());
  if (served.distrust !== null || record.grant.id !== granted.grant.id) {
    throw new FairleadError(served.distrust ?? 'grant_untrusted', {
      detail: "The daemon's answer does not fit together; nothing was shared",
    });
  }
  await changeShares(files, (shares) => withShare(shares, record));
  return record;
};

/**
 * Withdraws a share: here first, so that nothing is served from now on, then at the daemon.
 * @returns whether the daemon has ended the grant; if it could not be asked, the grant ends at its own time and nobody holds its credential
 * @throws FairleadError `not_found` when it was not shared
 */
export const unshareInstance = async (
  files: Files,
  instance: string,
  access: () => Promise<DaemonAccess>,
): Promise<{ grantId: string; revoked: boolean }> => {
  let former: ShareRecord | undefined;
  await changeShares(files, (shares) => {
    former = shares.find((share) => share.instance_id === instance);
    return shares.filter((share) => share !== former);
  });
  if (!former) throw new FairleadError('not_found', { detail: 'That instance is not shared' });
  try {
    const daemon = await access();
    await daemon.operator.call('revoke_grant', { grant_id: former.grant.id }, { idempotencyKey: key() });
    return { grantId: former.grant.id, revoked: true };
  } catch (error) {
    const ended = error instanceof FairleadError && ['not_found', 'transition_refused', 'grant_expired'].includes(error.code);
    return { grantId: former.grant.id, revoked: ended };
  }
};
