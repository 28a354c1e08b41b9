import { FairleadError } from '../contract/errors.ts';

const FULL = new Set(['SQLITE_FULL', 'ENOSPC', 'EDQUOT']);
const UNWRITABLE = new Set(['EROFS', 'EACCES', 'EPERM', 'EIO']);

/** A full disk and a store that cannot be written get their own codes; any other error comes back as it is. */
export const asStorageError = (error: unknown): Error => {
  const cause = error instanceof Error ? error : new Error(String(error));
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  if (FULL.has(code)) return new FairleadError('disk_full', { cause });
  if (UNWRITABLE.has(code) || /^SQLITE_(READONLY|CANTOPEN|IOERR|PERM)/.test(code))
    return new FairleadError('store_unwritable', { detail: `The state cannot be written (${code}).`, cause });
  return cause;
};
