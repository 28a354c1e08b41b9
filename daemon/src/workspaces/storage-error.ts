import { FairleadError } from '@fairlead/shared/contract/errors';

/** What the file system says of its room and rights, as an error of the table; anything else as it is. */
export const storageError = (cause: unknown): unknown => {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') return new FairleadError('disk_full', { cause });
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return new FairleadError('store_unwritable', { cause });
  return cause;
};
