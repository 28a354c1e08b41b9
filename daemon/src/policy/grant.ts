import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Budget } from '@fairlead/shared/contract/resources';
import type { GrantRecord } from '../core/records.ts';

/** What is asked under a grant. */
interface Asked {
  readonly operation: string;
  /** Whether the operation decides (`approve_gate` and its like). */
  readonly decides: boolean;
  /** Epoch ms. */
  readonly now: number;
}

/** @throws FairleadError `grant_expired`, `grant_denied`, `authority_required` */
export const checkGrant = (grant: GrantRecord, { operation, decides, now }: Asked): void => {
  if (grant.revoked_at !== null || grant.expires_at <= now) throw new FairleadError('grant_expired', { more: { grant_id: grant.id } });
  if (decides && !grant.accept_relay_decisions)
    throw new FairleadError('authority_required', { detail: `${operation} decides, and the owner keeps decisions to themselves` });
  if (!grant.operations.includes(operation)) {
    throw new FairleadError('grant_denied', {
      detail: `The owner did not share ${operation}`,
      rule: 'operations',
      more: { available: grant.operations },
    });
  }
};

/** Whether the grant covers this executor and these optional validations. @throws FairleadError `grant_denied` */
export const checkGrantedTask = (
  grant: GrantRecord,
  task: { readonly executor: string; readonly validations: readonly string[] },
): void => {
  if (grant.executors !== null && !grant.executors.includes(task.executor)) {
    throw new FairleadError('grant_denied', {
      field: 'task.executor',
      rule: 'executors',
      detail: `The owner did not share the executor ${task.executor}`,
      more: { available: grant.executors },
    });
  }
  const refused = task.validations.find((name) => grant.validations !== null && !grant.validations.includes(name));
  if (refused !== undefined) {
    throw new FairleadError('grant_denied', {
      field: 'task.validations',
      rule: 'validations',
      detail: `The owner did not share the validation ${refused}`,
      more: { available: grant.validations ?? [] },
    });
  }
};

/** What is left of a grant's budget. */
export const budgetLeft = ({ budget, spent }: Pick<GrantRecord, 'budget' | 'spent'>): Budget => ({
  steps: budget.steps === null ? null : Math.max(0, budget.steps - spent.steps),
  wall_ms: budget.wall_ms === null ? null : Math.max(0, budget.wall_ms - spent.wall_ms),
});
