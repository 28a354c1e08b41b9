import { FairleadError } from '@fairlead/shared/contract/errors';
import type { LateWrites } from './late-writes.ts';
import type { IdempotencyScope } from './ledger.ts';

export interface Idempotency {
  /** The first answer to this key, if it was used. @throws FairleadError `idempotency_conflict` */
  answered(scope: IdempotencyScope): { readonly answer: unknown } | undefined;
  /** Does the effect unless the key was used; keeps the answer in the effect's own transaction. */
  once<T>(scope: IdempotencyScope | undefined, effect: () => T): T;
}

/**
 * Idempotency keys, scoped to an instance and a stable subject, over a digest of operation and input. An effect that throws
 * leaves no key, because its savepoint is undone with it: the same request may be sent again.
 */
export const createIdempotency = (late: LateWrites, at: () => number): Idempotency => {
  const find = late.reader('select operation, digest, answer from idempotency where instance_id = ? and subject = ? and key = ?');
  const keep = late.writer(
    'insert into idempotency (instance_id, subject, key, operation, digest, run_id, answer, at) values (@instance_id, @subject, @key, @operation, @digest, @run_id, @answer, @at)',
  );
  const answered: Idempotency['answered'] = (scope) => {
    const row = find.get(scope.instance_id, scope.subject, scope.key) as { operation: string; digest: string; answer: string } | undefined;
    if (!row) return undefined;
    if (row.digest === scope.digest && row.operation === scope.operation) return { answer: JSON.parse(row.answer) as unknown };
    throw new FairleadError('idempotency_conflict', {
      field: 'idempotency_key',
      rule: 'one key stands for one request',
      detail: `The key was used for ${row.operation === scope.operation ? `another input of ${row.operation}` : row.operation}.`,
    });
  };
  return {
    answered,
    once<T>(scope: IdempotencyScope | undefined, effect: () => T): T {
      if (!scope) return effect();
      const before = answered(scope);
      if (before) return before.answer as T;
      const answer = effect();
      keep.run({ ...scope, run_id: scope.run_id ?? null, answer: JSON.stringify(answer), at: at() });
      return answer;
    },
  };
};
