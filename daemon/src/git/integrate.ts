import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Repository } from './repository.ts';
import type { Store } from './store.ts';

export type Replay =
  | { readonly outcome: 'clean'; readonly tree: string }
  /** `paths` conflict, `message` is git's own words. */
  | { readonly outcome: 'conflict'; readonly paths: readonly string[]; readonly message: string };

/**
 * Replays the change `base..snapshot` onto another commit, in the store, without any checkout. Renames are not followed, so that
 * a change lands under the names that the fence saw or not at all.
 */
export const replayChange = async (store: Store, change: { readonly base: string; readonly snapshot: string; readonly onto: string }): Promise<Replay> => {
  throw new FairleadError('internal', { detail: `not yet: ${store.folder} ${change.onto}` });
};

/** Moving one branch of the user's repository. The same value, read back from the journal, finishes or judges it after a crash. */
export interface Landing {
  /** Full name, such as `refs/heads/main`. */
  readonly ref: string;
  readonly from: string;
  readonly to: string;
  /** What the effect belongs to, such as the change id; stands in the lock file and the reflog. */
  readonly token: string;
}

/** Copies the objects of `landing.to` into the user's repository. They are unreachable there until the ref moves. Safe to repeat. */
export const transferObjects = async (store: Store, repository: Repository, landing: Landing): Promise<void> => {
  throw new FairleadError('internal', { detail: `not yet: ${store.folder} ${repository.git_dir} ${landing.to}` });
};

/**
 * Moves the ref from `from` to `to` if it still is `from`. Where a work tree has it checked out, that work tree goes along: it must
 * be clean, and its index stays locked from the check to the end, so that no commit of a person comes between.
 * @throws FairleadError `target_dirty` (nothing moved), `repository_unsupported` (sparse checkout or split index; nothing moved),
 *   `target_moved` (the index is locked by another git; nothing moved)
 */
export const moveRef = async (store: Store, repository: Repository, landing: Landing): Promise<'moved' | 'stale'> => {
  throw new FairleadError('internal', { detail: `not yet: ${store.folder} ${repository.git_dir} ${landing.to}` });
};

/**
 * Where a landing that was interrupted stands: `applied` (the ref is at or past `to`), `not_applied` (it is still `from`) or
 * `elsewhere`. Removes a lock that this landing left, and brings a checked-out work tree along when the ref had moved already.
 */
export const settleLanding = async (store: Store, repository: Repository, landing: Landing): Promise<'applied' | 'not_applied' | 'elsewhere'> => {
  throw new FairleadError('internal', { detail: `not yet: ${store.folder} ${repository.git_dir} ${landing.to}` });
};
