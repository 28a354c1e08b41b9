import { pathParameters } from '@fairlead/shared/contract/http';
import { ownerPrefix } from '@fairlead/shared/contract/ids';
import type { Operation } from '@fairlead/shared/contract/operations/operation';

const parameters = new WeakMap<Operation, readonly string[]>();

/** The id that an operation is about: the first id with an owner among its path parameters, or undefined where it has none. */
export const addressedId = (row: Operation, input: Readonly<Record<string, unknown>>): { id: string; prefix: string } | undefined => {
  let names = parameters.get(row);
  if (!names) parameters.set(row, (names = pathParameters(row)));
  for (const name of names) {
    const id = input[name];
    const prefix = typeof id === 'string' ? ownerPrefix(id) : undefined;
    if (prefix !== undefined) return { id: id as string, prefix };
  }
  return undefined;
};
