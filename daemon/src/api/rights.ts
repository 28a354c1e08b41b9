import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Operation } from '@fairlead/shared/contract/operations/operation';
import type { Clock } from '@fairlead/shared/kit/clock';
import type { Asker } from '../commands/command.ts';
import type { GrantRecord } from '../core/records.ts';
import { checkGrant } from '../policy/grant.ts';
import type { Caller } from './authentication.ts';
import type { RightsReads } from './remembered-rights.ts';

/** What the owner can do while the machine is halted, besides looking: whatever takes away, or gives nothing that was not given, and resume. */
const WHILE_HALTED: ReadonlySet<string> = new Set([
  'halt',
  'resume',
  'cancel_step',
  'cancel_run',
  'close_run',
  'remove_instance',
  'revoke_grant',
  'move_grant',
  'reject_gate',
  'discard_change',
]);

type Rights = Pick<RightsReads, 'grantFor' | 'halted' | 'instance'>;

/** A connector asks about itself, with the address in the path; everything else needs the headers of a request that it carries. */
const connectorAsker = (
  row: Operation,
  caller: Extract<Caller, { kind: 'connector' }>,
  pathInstance: string | undefined,
  read: Rights,
  now: number,
): Asker & { readonly grant: GrantRecord } => {
  const self = row.surface === 'connector';
  const instance_id = caller.instance_id ?? (self ? pathInstance : undefined);
  if (instance_id === undefined)
    throw new FairleadError('invalid_input', {
      field: 'Fairlead-Instance',
      rule: 'must name the addressed instance',
      detail: 'Fairlead-Instance is missing',
    });
  const principal = caller.principal ?? (self ? { id: 'connector', name: 'connector' } : undefined);
  if (!principal)
    throw new FairleadError('invalid_input', {
      field: 'Fairlead-Principal',
      rule: 'must name who asks',
      detail: 'Fairlead-Principal is missing',
    });
  const grant = read.grantFor({ connector_key: caller.connector_key, instance_id });
  // An instance that was never shared with this connector is the same to it as one that does not exist.
  if (!grant) throw new FairleadError('not_found');
  const instance = read.instance(instance_id);
  if (!instance || instance.removed_at !== null) throw new FairleadError('not_found');
  if (grant.revoked_at !== null || grant.expires_at <= now) throw new FairleadError('grant_expired');
  return { principal, authority: 'relay_asserted', remote: true, instance_id, grant };
};

/**
 * Whether a caller may ask for an operation now, and as whom. Asked again at every wake of a wait.
 * @throws FairleadError `grant_denied`, `grant_expired`, `local_only`, `authority_required`, `halted`, `not_found`
 */
export const askerFor = (
  row: Operation,
  caller: Caller,
  pathInstance: string | undefined,
  { read, clock }: { readonly read: Rights; readonly clock: Clock },
): Asker => {
  if (caller.kind === 'operator') {
    if (row.surface === 'connector') throw new FairleadError('grant_denied', { detail: 'Only a connector asks for its own delegation' });
    if (row.effect !== 'read' && !WHILE_HALTED.has(row.name) && read.halted()) throw new FairleadError('halted');
    return caller.asker;
  }
  const now = clock.now();
  const asker = connectorAsker(row, caller, pathInstance, read, now);
  if (row.surface === 'connector') return asker;
  if (!row.remote) throw new FairleadError('local_only');
  checkGrant(asker.grant, { operation: row.name, decides: row.effect === 'decide', now });
  if (read.halted()) throw new FairleadError('halted');
  return asker;
};
