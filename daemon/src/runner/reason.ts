import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Reason } from '../core/records.ts';

/**
 * Why something failed, as it may travel. The words of an error that is not ours name paths and addresses of this machine: they stay in
 * its log.
 */
export const reasonOf = (error: unknown, code = 'internal'): Reason =>
  error instanceof FairleadError && error.code !== 'internal'
    ? { code: error.code, message: error.message }
    : { code, message: 'Something went wrong in the daemon; its log says what' };
