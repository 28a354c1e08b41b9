import { FairleadError } from '@fairlead/shared/contract/errors';
import { readInput } from '@fairlead/shared/contract/http';
import type { Operation } from '@fairlead/shared/contract/operations/operation';
import { allowedRow, type Allowlist } from './allowlist.ts';
import { refuseForeignIds } from './owners.ts';
import type { ServedShare } from './served-share.ts';

/** A request as a frame carried it. Nothing in it has been believed yet. */
export interface AskedFor {
  readonly operation: string;
  readonly instanceId: string;
  readonly input: unknown;
  readonly idempotencyKey: string | undefined;
}

const refuse = (code: 'grant_denied' | 'argv_not_allowed', field: string, detail: string): never => {
  throw new FairleadError(code, { field, detail });
};

const checkGrant = (row: Operation, share: ServedShare, now: number): void => {
  if (share.revoked || now >= share.expiresAt) throw new FairleadError('grant_expired');
  if (share.distrust) throw new FairleadError(share.distrust);
  if (now >= share.provenUntil)
    throw new FairleadError('delegation_invalid', { detail: 'The delegation has ended and could not be renewed' });
  if (!share.operations.has(row.name)) {
    throw new FairleadError(row.effect === 'decide' ? 'authority_required' : 'grant_denied', {
      detail: `The owner did not share ${row.name}`,
    });
  }
  // Named in the grant is not enough for a decision: the owner must have said that relay decisions count.
  if (row.effect === 'decide' && !share.acceptsDecisions) throw new FairleadError('authority_required');
};

const checkKey = (row: Operation, key: string | undefined): void => {
  if (row.effect === 'read') return;
  if (key === undefined || !/^[\x21-\x7e]{1,200}$/.test(key)) throw new FairleadError('idempotency_key_required');
};

/** What a task names must be shared, too. The daemon checks again, and knows what a task leaves to its defaults. */
const checkTask = (task: unknown, share: ServedShare): void => {
  if (typeof task !== 'object' || task === null) return;
  const { executor, validations } = task as { executor?: unknown; validations?: unknown };
  if (typeof executor === 'string' && share.executors && !share.executors.has(executor)) {
    refuse('grant_denied', 'task.executor', 'The owner did not share that executor');
  }
  for (const [index, validation] of (Array.isArray(validations) ? validations : []).entries()) {
    const field = `task.validations[${index}]`;
    if (typeof validation !== 'string') refuse('argv_not_allowed', field, 'A command line never crosses the relay');
    else if (share.validations && !share.validations.has(validation))
      refuse('grant_denied', field, 'The owner did not share that validation');
  }
};

/**
 * Decides whether a request from the relay goes on to the daemon: known operation, trusted and unexpired grant that names it, ids of the
 * addressed instance only, a key on every write, input that fits the row. The daemon checks all of it again.
 * @returns the row and the input, still as it was sent: the daemon fills in its own defaults
 * @throws FairleadError with the code of the first rule that does not hold
 */
export const admit = (
  allowlist: Allowlist,
  share: ServedShare | undefined,
  asked: AskedFor,
  now: number,
): { row: Operation; input: Readonly<Record<string, unknown>> } => {
  const row = allowedRow(allowlist, asked.operation);
  if (!share) throw new FairleadError('not_found');
  checkGrant(row, share, now);
  refuseForeignIds(asked.input, asked.instanceId);
  checkKey(row, asked.idempotencyKey);
  const read = readInput(row, asked.input);
  checkTask(read['task'], share);
  return { row, input: asked.input as Readonly<Record<string, unknown>> };
};
