import { FairleadError } from '@fairlead/shared/contract/errors';
import type { ObjectFormat, Repository } from './repository.ts';

/**
 * The daemon's own bare repository of an instance. It holds the objects of the owner's listed branches and all snapshots,
 * shares nothing with the user's repository, and its attributes and config are ours alone.
 */
export interface Store {
  readonly folder: string;
  readonly object_format: ObjectFormat;
  /** Tips known to be whole in the store, kept in memory. Only this module writes it. */
  readonly known: Set<string>;
}

/** Where the store keeps the owner's branches, so that their objects stay: `refs/fairlead/source/heads/main`. */
export const SOURCE = 'refs/fairlead/source/';
/** Where snapshots are kept: `refs/fairlead/attempts/<attempt id>`. */
export const ATTEMPTS = 'refs/fairlead/attempts/';

/**
 * Makes a store at `folder` (which must not exist) with the objects of `refs`. Every object is hashed anew on its way.
 * @throws FairleadError `repository_invalid`, `disk_full`, `store_unwritable`
 */
export const createStore = async (folder: string, repository: Repository, refs: readonly string[]): Promise<Store> => {
  throw new FairleadError('internal', { detail: `not yet: ${folder} ${repository.git_dir} ${refs.length}` });
};

/** Opens a store that `createStore` made. @throws FairleadError `store_unwritable` when it is not there or not whole */
export const openStore = async (folder: string): Promise<Store> => {
  throw new FairleadError('internal', { detail: `not yet: ${folder}` });
};

/**
 * Brings the present tips of `refs` into the store and answers them. One git process when the store has them already.
 * A ref that does not exist is absent from the answer.
 * @throws FairleadError `repository_invalid`, `disk_full`, `store_unwritable`
 */
export const syncStore = async (store: Store, repository: Repository, refs: readonly string[]): Promise<ReadonlyMap<string, string>> => {
  throw new FairleadError('internal', { detail: `not yet: ${store.folder} ${repository.git_dir} ${refs.length}` });
};

/** Removes a store and everything in it. */
export const removeStore = async (folder: string): Promise<void> => {
  throw new FairleadError('internal', { detail: `not yet: ${folder}` });
};
