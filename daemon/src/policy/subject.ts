import type { Principal } from '@fairlead/shared/contract/values';
import type { GrantRecord } from '../core/records.ts';

/**
 * Who asks, as keys of idempotency and the rule against self-approval take it: not the token, so that a rotated one asks again safely,
 * and with the relay's key, because each relay names its planners itself. Two relays may well have a `planner:phone` each.
 */
export const subjectOf = ({
  principal,
  remote,
  grant,
}: {
  readonly principal: Pick<Principal, 'id'>;
  readonly remote: boolean;
  readonly grant?: Pick<GrantRecord, 'relay_key'> | undefined;
}): string => {
  if (!remote) return `local:${principal.id}`;
  if (!grant) throw new Error('A remote request comes under a grant');
  return `relay:${grant.relay_key}:${principal.id}`;
};
