import { FairleadError } from '@fairlead/shared/contract/errors';
import { newRelayId } from '@fairlead/shared/contract/ids';
import { LIMITS } from '@fairlead/shared/contract/limits';
import type { Scope } from '@fairlead/shared/contract/operations/operation';
import type { Principal } from '@fairlead/shared/contract/values';
import type { Clock } from '@fairlead/shared/kit/clock';
import { hashSecret, mintSecret } from '@fairlead/shared/kit/secret';
import { fullBucket, take, type Bucket } from '../core/rate.ts';
import type { PlannerTokenRow } from '../store/planner-token-rows.ts';
import type { Store } from '../store/store.ts';

/** A planner token in use. Whoever waits or streams on its behalf listens to its end. */
export interface LiveToken {
  readonly id: string;
  /** Named after the planner and not after the token, so that a rotated token keeps its idempotency keys. */
  readonly principal: Principal;
  readonly scopes: ReadonlySet<Scope>;
  readonly instances: ReadonlySet<string> | null;
  /** Whether it was revoked or has expired since it was authenticated. */
  readonly ended: boolean;
  /** Takes one request from its rate. Answers 0, or the milliseconds until one will be free. */
  take(): number;
  /** Calls `fn` once when the token is revoked or expires; the answer stops that. */
  onEnd(fn: (why: FairleadError) => void): () => void;
}

export interface PlannerTokens {
  /** @throws FairleadError `unauthenticated` */
  authenticate(secret: string): LiveToken;
  create(about: { name: string; scopes: readonly Scope[]; instances: readonly string[] | null; expires_ms: number | null }): {
    row: PlannerTokenRow;
    secret: string;
  };
  list(): PlannerTokenRow[];
  /** Ends a token at once, in waits and streams too. @throws FairleadError `not_found` */
  revoke(id: string): PlannerTokenRow;
  /** Writes what is known of last uses, and forgets everything held in memory. */
  close(): void;
}

interface Held extends LiveToken {
  readonly expiresAt: number;
  readonly listeners: Set<(why: FairleadError) => void>;
  ended: boolean;
  lastUsed: number;
}

/** How often last uses are written, in milliseconds. */
const USE_DELAY = 1000;

const ended = (detail: string) => new FairleadError('unauthenticated', { detail });

const hold = (row: PlannerTokenRow, clock: Clock, perMinute: number): Held => {
  const bucket: Bucket = fullBucket(perMinute, clock.monotonic());
  const listeners: Held['listeners'] = new Set();
  return {
    id: row.id,
    principal: { id: `planner:${row.name}`, name: row.name },
    scopes: new Set(row.scopes),
    instances: row.instances && new Set(row.instances),
    expiresAt: row.expires_at ?? Number.POSITIVE_INFINITY,
    listeners,
    ended: false,
    lastUsed: 0,
    take: () => take(bucket, perMinute, clock.monotonic()),
    onEnd(fn) {
      listeners.add(fn);
      return () => listeners.delete(fn);
    },
  };
};

/** The relay's planner tokens: hashed in the store, held in memory by their hash while they are used. */
export const openPlannerTokens = ({
  store,
  clock,
  perMinute = LIMITS.planner_rate.value,
}: {
  readonly store: Store;
  readonly clock: Clock;
  readonly perMinute?: number;
}): PlannerTokens => {
  const held = new Map<string, Held>();
  const used = new Set<Held>();
  const expiries = new Map<Held, () => void>();
  let cancelUse: (() => void) | undefined;

  const writeUses = () => {
    cancelUse = undefined;
    const batch = [...used];
    used.clear();
    try {
      store.atomically(() => batch.forEach((token) => store.tokens.used(token.id, token.lastUsed)));
    } catch {
      // A last use is a courtesy; the audit is the record, and it refuses on a store that cannot be written.
    }
  };

  const end = (hash: string, why: FairleadError) => {
    const token = held.get(hash);
    if (!token) return;
    held.delete(hash);
    token.ended = true;
    expiries.get(token)?.();
    expiries.delete(token);
    for (const listener of token.listeners) listener(why);
  };

  const find = (hash: string): Held | undefined => {
    const known = held.get(hash);
    if (known) return known;
    const row = store.tokens.byHash(hash);
    if (!row || row.revoked_at !== null) return undefined;
    const token = hold(row, clock, perMinute);
    if (token.expiresAt <= clock.now()) return undefined;
    held.set(hash, token);
    if (row.expires_at !== null)
      expiries.set(
        token,
        clock.after(row.expires_at - clock.now(), () => end(hash, ended('The token has expired.'))),
      );
    return token;
  };

  return {
    authenticate(secret) {
      if (secret === '') throw ended('The request carries no token: it needs Authorization: Bearer.');
      const hash = hashSecret(secret);
      const token = find(hash);
      if (!token) throw ended('The token is unknown, revoked or expired.');
      const now = clock.now();
      if (token.expiresAt <= now) {
        end(hash, ended('The token has expired.'));
        throw ended('The token is unknown, revoked or expired.');
      }
      token.lastUsed = now;
      used.add(token);
      cancelUse ??= clock.after(USE_DELAY, writeUses);
      return token;
    },
    create({ name, scopes, instances, expires_ms }) {
      const secret = mintSecret('flp');
      const now = clock.now();
      const row: PlannerTokenRow = {
        id: newRelayId('tok'),
        name,
        hash: hashSecret(secret),
        scopes,
        instances,
        created_at: now,
        expires_at: expires_ms === null ? null : now + expires_ms,
        revoked_at: null,
        last_used_at: null,
      };
      store.tokens.add(row);
      return { row, secret };
    },
    list() {
      if (cancelUse) {
        cancelUse();
        writeUses();
      }
      return store.tokens.all();
    },
    revoke(id) {
      store.tokens.revoke(id, clock.now());
      const row = store.tokens.byId(id);
      if (!row) throw new FairleadError('not_found');
      end(row.hash, ended('The token was revoked.'));
      return row;
    },
    close() {
      cancelUse?.();
      writeUses();
      for (const cancel of expiries.values()) cancel();
      held.clear();
    },
  };
};
