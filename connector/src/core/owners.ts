import { PREFIX_LENGTH, prefixOf } from '@fairlead/shared/contract/ids';
import { FairleadError } from '@fairlead/shared/contract/errors';

const INSTANCE = /^ins_[a-z2-7]{26}$/;

/** Anything that has the form of a resource id, of whatever kind and UUID version: looser than the schemas, so that none slips by. */
const RESOURCE = new RegExp(`^[a-z]{2,12}_([a-z2-7]{${PREFIX_LENGTH}})_[0-9a-f-]{36}$`);
const LONGEST_ID = 12 + 1 + PREFIX_LENGTH + 1 + 36;

const isForeign = (text: string, instanceId: string, prefix: string): boolean => {
  if (text.length > LONGEST_ID) return false;
  if (INSTANCE.test(text)) return text !== instanceId;
  const owner = RESOURCE.exec(text)?.[1];
  return owner !== undefined && owner !== prefix;
};

const foreignField = (value: unknown, instanceId: string, prefix: string, at: string): string | undefined => {
  if (typeof value === 'string') return isForeign(value, instanceId, prefix) ? at : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  const list = Array.isArray(value);
  for (const [key, member] of Object.entries(value)) {
    const found = foreignField(member, instanceId, prefix, list ? `${at}[${key}]` : at === '' ? key : `${at}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
};

/**
 * Refuses an input in which any string is the id of something that another instance owns. It looks at every string and knows no
 * field names, so that a new operation is covered on the day its row is written.
 * @throws FairleadError `instance_mismatch` with the field
 */
export const refuseForeignIds = (input: unknown, instanceId: string): void => {
  const field = foreignField(input, instanceId, prefixOf(instanceId), '');
  if (field === undefined) return;
  throw new FairleadError('instance_mismatch', {
    field,
    rule: 'must be an id of the addressed instance',
    detail: `${field} belongs to another instance`,
  });
};
