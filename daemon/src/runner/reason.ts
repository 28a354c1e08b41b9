import { FairleadError } from '@fairlead/shared/contract/errors';
import { asStorageError } from '@fairlead/shared/kit/atomic-file';
import type { Reason } from '../core/records.ts';

/**
 * Why something failed, as it may travel. The words of an error that is not ours name paths and addresses of this machine: they stay in
 * its log.
 */
export const reasonOf = (error: unknown, code = 'internal'): Reason => {
  const known = asStorageError(error);
  return known instanceof FairleadError && known.code !== 'internal'
    ? { code: known.code, message: known.message }
    : { code, message: 'Something went wrong in the daemon; its log says what' };
};
