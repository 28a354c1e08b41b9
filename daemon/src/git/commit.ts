import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Store } from './store.ts';

export interface CommitOrder {
  readonly tree: string;
  readonly parents: readonly string[];
  /** One line; control characters become spaces. Untrusted text, so it never becomes more than the subject. */
  readonly title: string;
  /** Written after the subject as git trailers, in order. */
  readonly trailers: readonly (readonly [name: string, value: string])[];
  /** Epoch ms. The same order with the same time gives the same commit, so that a stage may be done again. */
  readonly at: number;
  /** A full ref of the store that keeps the commit, such as `refs/fairlead/attempts/<attempt id>`. */
  readonly keep?: string;
}

/** Makes a commit by Fairlead's fixed identity in the store, and answers its id. Runs no hook and signs nothing. */
export const makeCommit = async (store: Store, order: CommitOrder): Promise<string> => {
  throw new FairleadError('internal', { detail: `not yet: ${store.folder} ${order.tree}` });
};

/** Lets go of what a ref of the store kept. Missing refs are no error. */
export const dropRefs = async (store: Store, refs: readonly string[]): Promise<void> => {
  throw new FairleadError('internal', { detail: `not yet: ${store.folder} ${refs.length}` });
};
