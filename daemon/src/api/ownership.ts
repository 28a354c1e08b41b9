import { FairleadError } from '@fairlead/shared/contract/errors';
import { pathParameters } from '@fairlead/shared/contract/http';
import { ownerPrefix, prefixOf } from '@fairlead/shared/contract/ids';
import type { Operation } from '@fairlead/shared/contract/operations/operation';

/** No id is as long: longer texts are not looked at. */
const LONGEST_ID = 64;

/** Where in a value the first id stands that belongs to another instance, or undefined. */
const foreignIn = (value: unknown, instanceId: string, prefix: string, path: string): string | undefined => {
  if (typeof value === 'string') {
    if (value.length > LONGEST_ID) return undefined;
    const owner = ownerPrefix(value);
    if (owner === undefined || value === instanceId) return undefined;
    // An instance id must be the very one; of another id the owner's prefix is all that can be read.
    return owner !== prefix || value.startsWith('ins_') ? path : undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [name, member] of Object.entries(value)) {
    const found = foreignIn(member, instanceId, prefix, path === '' ? name : `${path}.${name}`);
    if (found !== undefined) return found;
  }
  return undefined;
};

/**
 * Refuses an input with an id of another instance than the one addressed.
 * @throws FairleadError `instance_mismatch` that names the field
 */
export const checkOwnership = (input: Readonly<Record<string, unknown>>, instanceId: string): void => {
  const field = foreignIn(input, instanceId, prefixOf(instanceId), '');
  if (field !== undefined)
    throw new FairleadError('instance_mismatch', { field, detail: `${field} belongs to another instance than the one addressed` });
};

const firstParameter = new WeakMap<Operation, string | undefined>();

/** The id in the path of an operation, which says what instance a local request is about; undefined when there is none. */
export const addressOf = (row: Operation, input: Readonly<Record<string, unknown>>): string | undefined => {
  if (!firstParameter.has(row)) firstParameter.set(row, pathParameters(row)[0]);
  const name = firstParameter.get(row);
  const value = name === undefined ? undefined : input[name];
  return typeof value === 'string' ? value : undefined;
};
