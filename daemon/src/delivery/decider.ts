import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Principal } from '@fairlead/shared/contract/resources';
import type { Authority } from '@fairlead/shared/contract/states';
import { digestOf } from '../core/digest.ts';
import type { Cause, ChangeRecord, GrantRecord } from '../core/records.ts';
import type { IdempotencyScope } from '../ledger/ledger.ts';
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
