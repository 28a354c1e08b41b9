import { defaultGrantOperations, type OperationTable } from '@fairlead/shared/contract/operations/table';
import type { Operation, Scope } from '@fairlead/shared/contract/operations/operation';

/** What a planner token allows unless its maker names scopes: every read but of files, and writes that decide nothing. */
export const defaultScopes = (table: OperationTable): Scope[] => [
  ...new Set(defaultGrantOperations(table).map((name) => table[name]!.scope)),
];

/** Scopes of the relay's operator. They belong to the admin token alone, so a planner can never mint tokens. */
export const isAdminScope = (scope: Scope): boolean => scope.startsWith('admin:');

/** Whether scopes and an instance list allow an operation on an instance. `instances` null is every instance. */
export const mayCall = (
  caller: { readonly scopes: ReadonlySet<Scope>; readonly instances: ReadonlySet<string> | null },
  row: Operation,
  instanceId: string | undefined,
): 'yes' | 'scope_denied' | 'foreign' => {
  if (row.scope !== 'none' && !caller.scopes.has(row.scope)) return 'scope_denied';
  return instanceId === undefined || caller.instances === null || caller.instances.has(instanceId) ? 'yes' : 'foreign';
};
