import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Operation } from '@fairlead/shared/contract/operations/operation';
import type { LiveToken } from '../auth/planner-tokens.ts';
import { mayCall } from '../core/access.ts';
import { addressedId } from '../core/owner.ts';
import type { Hub } from '../sessions/hub.ts';
import type { InstanceRow } from '../store/instance-rows.ts';

/** Where a planner's call goes, or why it goes nowhere. Only the audit learns the reason behind a `not_found`. */
export type Route =
  | { readonly instance: InstanceRow; readonly resource: string }
  | { readonly refused: FairleadError; readonly reason?: string; readonly instance?: InstanceRow; readonly resource?: string };

/** Reads the owner from the id that an operation is about, and asks scopes and instance list. Nothing is probed. */
export const route = (hub: Hub, token: LiveToken, row: Operation, input: Readonly<Record<string, unknown>>): Route => {
  if (mayCall(token, row, undefined) === 'scope_denied') {
    return {
      refused: new FairleadError('scope_denied', { detail: `${row.name} needs the scope ${row.scope}.`, more: { scope: row.scope } }),
    };
  }
  const about = addressedId(row, input);
  if (!about) return { refused: new FairleadError('operation_unknown', { detail: `${row.name} addresses no instance.` }) };
  const resource = about.id;
  // One answer for what is missing, withdrawn and foreign, so that ids of others cannot be told from ids of nobody.
  const unseen = (reason: string, instance?: InstanceRow): Route => ({
    refused: new FairleadError('not_found'),
    reason,
    resource,
    ...(instance && { instance }),
  });
  const instance = hub.registry.find(about.prefix);
  if (!instance || (resource.startsWith('ins_') && resource !== instance.id)) return unseen('missing');
  if (mayCall(token, row, instance.id) === 'foreign') return unseen('foreign', instance);
  if (instance.withdrawn_at !== null) return unseen('withdrawn', instance);
  return { instance, resource };
};
