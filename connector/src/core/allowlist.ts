import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Operation } from '@fairlead/shared/contract/operations/operation';
import type { OperationTable } from '@fairlead/shared/contract/operations/table';

export type Allowlist = ReadonlyMap<string, Operation>;

/**
 * What a relay may ask a connector for at all: the rows that are remote and that the daemon itself answers. There is no other
 * list, so a row that is not `remote` cannot be reached through a relay by any mistake made here.
 */
export const allowlistOf = (table: OperationTable): Allowlist =>
  new Map(
    Object.values(table)
      .filter((row) => row.remote && row.surface === 'daemon')
      .map((row) => [row.name, row]),
  );

/**
 * The row of an operation that a frame names.
 * @throws FairleadError `operation_unknown` for every name that is not on the list, whether it exists locally or not
 */
export const allowedRow = (allowlist: Allowlist, name: string): Operation => {
  const row = allowlist.get(name);
  if (!row) throw new FairleadError('operation_unknown', { detail: 'This machine serves no operation of that name' });
  return row;
};
