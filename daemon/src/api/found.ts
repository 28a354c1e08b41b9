import { FairleadError } from '@fairlead/shared/contract/errors';
import type { InstanceRecord } from '../core/records.ts';
import type { Reads } from '../ledger/ledger.ts';

/** A record that must be there. @throws FairleadError `not_found` */
export const found = <R>(record: R | undefined): R => {
  if (record === undefined) throw new FairleadError('not_found');
  return record;
};

/** An instance that is served. @throws FairleadError `not_found`, also for one that was removed */
export const servedInstance = (read: Reads, id: string): InstanceRecord => {
  const instance = read.instance(id);
  if (!instance || instance.removed_at !== null) throw new FairleadError('not_found');
  return instance;
};
