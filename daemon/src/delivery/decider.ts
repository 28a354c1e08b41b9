import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Principal } from '@fairlead/shared/contract/values';
import type { Authority } from '@fairlead/shared/contract/states';
import { digestOf } from '../core/digest.ts';
import type { Cause, ChangeRecord, GrantRecord } from '../core/records.ts';
import type { IdempotencyScope, Reads } from '../ledger/ledger.ts';
import { checkGrant } from '../policy/grant.ts';
import { subjectOf } from '../policy/subject.ts';

/** Who decides, as the api found out from the credential alone. The commands' `Asker` is one. */
export interface Decider {
  readonly principal: Principal;
  readonly authority: Authority;
  readonly remote: boolean;
  readonly instance_id?: string;
  readonly grant?: Pick<GrantRecord, 'id' | 'relay_key' | 'accept_relay_decisions' | 'digest'>;
  readonly idempotency_key?: string;
}

/**
 * Whether this caller may decide about a change at all. The api asks too; an effect on the user's repository asks again.
 * @throws FairleadError `instance_mismatch`, `authority_required`
 */
export const checkDecider = (decider: Decider, change: ChangeRecord): void => {
  if (decider.instance_id !== undefined && decider.instance_id !== change.instance_id)
    throw new FairleadError('instance_mismatch', { field: 'change_id' });
  if (decider.remote && !decider.grant?.accept_relay_decisions) throw new FairleadError('authority_required');
};

/**
 * Whether an integration that is under way may still take effect: checks of the tree take minutes, and meanwhile the owner may have
 * halted, withdrawn the grant under which it was asked, or removed the instance.
 * @param now epoch ms
 * @throws FairleadError `halted`, `not_found`, `grant_expired`, `grant_denied`, `authority_required`
 */
export const checkStillAllowed = (read: Reads, { instance_id }: Pick<ChangeRecord, 'instance_id'>, decider: Decider, now: number): void => {
  if (read.halted()) throw new FairleadError('halted');
  if (read.instance(instance_id)?.removed_at !== null)
    throw new FairleadError('not_found', { field: 'change_id', detail: 'The instance was removed' });
  if (!decider.grant) return;
  const grant = read.grant(decider.grant.id);
  if (!grant) throw new FairleadError('grant_expired');
  checkGrant(grant, { operation: 'integrate_change', decides: true, now });
};

export const causeOf = ({ principal, authority, grant }: Decider): Cause => ({
  principal,
  authority,
  ...(grant && { grant_digest: grant.digest }),
});

/** The scope of a decision's idempotency key, or undefined for a local call without one. */
export const scopeOf = (operation: string, input: unknown, decider: Decider, change: ChangeRecord): IdempotencyScope | undefined =>
  decider.idempotency_key === undefined
    ? undefined
    : {
        instance_id: change.instance_id,
        subject: subjectOf(decider),
        key: decider.idempotency_key,
        operation,
        digest: digestOf({ operation, input }),
        run_id: change.run_id,
      };
