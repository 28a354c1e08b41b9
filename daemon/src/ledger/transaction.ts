import { FairleadError } from '@fairlead/shared/contract/errors';
import type { GrantRecord, StepRecord } from '../core/records.ts';
import { createAdditions } from './additions.ts';
import { createAppend } from './append.ts';
import { createGitEffects } from './git-effects.ts';
import type { Heads } from './heads.ts';
import { createIdempotency, type Idempotency } from './idempotency.ts';
import type { LateWrites } from './late-writes.ts';
import type { Reads, Tx } from './ledger.ts';
import type { Lines } from './lines.ts';
import { createMoves } from './moves.ts';
import type { Tables } from './tables.ts';

const found = <R>(record: R | undefined, what: string): R => {
  if (record !== undefined) return record;
  throw new FairleadError('not_found', { detail: `There is no ${what}` });
};

/** @throws FairleadError `grant_spent` that says what is left */
const within = (grant: GrantRecord, spent: GrantRecord['spent']): void => {
  for (const what of ['steps', 'wall_ms'] as const) {
    const limit = grant.budget[what];
    if (limit === null || spent[what] <= limit) continue;
    throw new FairleadError('grant_spent', {
      detail: `The grant allows ${limit} ${what === 'steps' ? 'steps' : 'ms of step time'}; ${grant.spent[what]} are spent and this asks for ${spent[what] - grant.spent[what]} more.`,
      rule: `budget.${what}`,
    });
  }
};

/** Grants and credentials: what may be asked, and what it costs. */
const grantWork = (tables: Tables, append: ReturnType<typeof createAppend>, at: () => number) =>
  ({
    spend(grantId, cost) {
      const grant = found(tables.grants.get(grantId), 'grant');
      if (grant.revoked_at !== null || grant.expires_at <= at()) throw new FairleadError('grant_expired');
      const spent = { steps: grant.spent.steps + cost.steps, wall_ms: grant.spent.wall_ms + cost.wall_ms };
      within(grant, spent);
      tables.grants.update(grantId, { spent });
      return { ...grant, spent };
    },
    revokeGrant(id, about) {
      const grant = found(tables.grants.get(id), 'grant');
      if (grant.revoked_at !== null) return grant;
      tables.grants.update(id, { revoked_at: at() });
      append('instance.unshared', { instance_id: grant.instance_id }, about, { grant_id: id, digest: grant.digest });
      return { ...grant, revoked_at: at() };
    },
    revokeCredential: (hash) => tables.credentials.update(hash, { revoked_at: at() }),
  }) satisfies Partial<Tx>;

interface Work {
  readonly tx: Tx;
  readonly idempotency: Idempotency;
}

/** Everything that a unit of work may do. One object serves all units: the time moves on with each batch. */
export const createTransaction = (late: LateWrites, tables: Tables, read: Reads, lines: Lines, heads: Heads, at: () => number): Work => {
  const append = createAppend(lines, heads, at);
  const lastOrder = late.reader('select coalesce(max(queue_order), 0) from steps', 'one');
  let order = lastOrder.get() as number;
  // A number that an undone unit drew is not drawn again; the order is what matters, and holes do not.
  const nextQueueOrder = () => ++order;
  const grants = grantWork(tables, append, at);
  const idempotency = createIdempotency(late, at);
  const endCredentials = late.writer('update credentials set revoked_at = @at where grant_id = @id and revoked_at is null');
  const setSetting = late.writer(
    'insert into settings (name, value) values (?, ?) on conflict (name) do update set value = excluded.value',
  );
  const revokeGrant: Tx['revokeGrant'] = (id, about) => {
    endCredentials.run({ id, at: at() });
    return grants.revokeGrant(id, about);
  };
  const tx: Tx = {
    read,
    get at() {
      return at();
    },
    add: createAdditions(late, tables, append, at, nextQueueOrder),
    move: createMoves(tables, append, at, nextQueueOrder),
    set: {
      attempt: (id, set) => tables.attempts.update(id, set),
      step: (id, set) => tables.steps.update(id, { ...set, updated_at: at() }),
    },
    ...grants,
    revokeGrant,
    requestStop(stepId, why, about): StepRecord {
      const step = found(tables.steps.get(stepId), 'step');
      if (step.stop_requested_at !== null) return step;
      const facts = { stop_requested_at: at(), stop_why: why, updated_at: at() };
      tables.steps.update(stepId, facts);
      append('step.stop_requested', { instance_id: step.instance_id, run_id: step.run_id, step_id: stepId }, about, {
        why,
        state: step.state,
      });
      return { ...step, ...facts };
    },
    removeInstance(id, about) {
      found(tables.instances.get(id), 'instance');
      for (const grant of read.grants(id)) revokeGrant(grant.id, about);
      tables.instances.update(id, { removed_at: at() });
      append('instance.removed', { instance_id: id }, about);
    },
    setHalted: (halted) => setSetting.run('halted', halted ? '1' : '0'),
    note: ({ type, instance_id, run_id, step_id, ...about }) =>
      append(type, { instance_id, ...(run_id !== undefined && { run_id }), ...(step_id !== undefined && { step_id }) }, about),
    idempotent: (scope, effect) => idempotency.once(scope, effect),
    effects: createGitEffects(tables, at, late),
  };
  return { tx, idempotency };
};
