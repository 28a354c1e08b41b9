import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Store } from './store.ts';

/** Whether `commit` is a commit of the store that one of `tips` reaches (a tip reaches itself). */
export const isReachable = async (store: Store, commit: string, tips: readonly string[]): Promise<boolean> => {
  throw new FairleadError('internal', { detail: `not yet: ${store.folder} ${commit} ${tips.length}` });
};
