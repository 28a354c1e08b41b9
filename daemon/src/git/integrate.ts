import { FairleadError } from '@fairlead/shared/contract/errors';
import { gitWords, pipeGit, runGit } from './git.ts';
import type { Landing } from './landing.ts';
import { readTips, type Repository } from './repository.ts';
import type { Store } from './store.ts';
import { bringAlong, findCheckouts, leftBehind, lockCheckout, settleCheckout, type Checkout } from './work-tree.ts';

const IDENTITY = { GIT_COMMITTER_NAME: 'Fairlead', GIT_COMMITTER_EMAIL: 'fairlead@localhost' };

/** What a landing came to. `left_behind` says why the checked-out work tree could not go along; the ref has moved none the less. */
export type Moved = { readonly moved: true; readonly left_behind?: string } | { readonly moved: false };

/** Copies the objects of `landing.to` into the user's repository. They are unreachable there until the ref moves. Safe to repeat. */
export const transferObjects = async (store: Store, repository: Repository, landing: Landing): Promise<void> => {
  await pipeGit(
    {
      git_dir: store.folder,
      args: ['pack-objects', '--revs', '--stdout', '--thin', '--delta-base-offset', '-q'],
      stdin: `${landing.to}\n^${landing.from}\n`,
    },
    { git_dir: repository.git_dir, args: ['index-pack', '--stdin', '--fix-thin'] },
  );
};

const compareAndSwap = async (repository: Repository, landing: Landing): Promise<boolean> => {
  const { ref, from, to, token } = landing;
  const end = await runGit({
    git_dir: repository.git_dir,
    args: ['update-ref', '-m', `fairlead: integrate ${token}`, ref, to, from],
    identity: IDENTITY,
    accept: [0, 1, 128],
  });
  if (end.code === 0) return true;
  const now = (await readTips(repository, [ref])).get(ref);
  if (now === to) return true;
  if (now !== from) return false;
  // The ref is locked by another git at this moment, or cannot be written at all.
  throw new FairleadError('target_moved', { detail: `The target could not be moved: ${gitWords(end.stderr)}` });
};

/** @throws FairleadError `repository_unsupported`: which of several work trees should go along cannot be known */
const onlyCheckout = (checkouts: readonly Checkout[]): Checkout | undefined => {
  if (checkouts.length <= 1) return checkouts[0];
  throw new FairleadError('repository_unsupported', {
    detail: 'The target is checked out in more than one work tree',
    hint: 'Check out another branch in all but one of them, then integrate again.',
  });
};

/**
 * Moves the ref from `from` to `to` if it still is `from`. Where a work tree has it checked out, that work tree goes along: it must
 * be clean, and its index stays locked from the check to the end, so that no commit of a person comes between.
 * Once the ref has moved nothing is thrown any more: what goes wrong with the work tree then is told beside `moved`.
 * @throws FairleadError `target_dirty`, `repository_unsupported` (checked out twice), `target_moved` (another git holds a lock); in
 *   each case nothing moved. After any other error the ref has to be asked: `settleLanding`
 */
export const moveRef = async (store: Store, repository: Repository, landing: Landing): Promise<Moved> => {
  const checkout = onlyCheckout(await findCheckouts(repository, landing.ref));
  const end: Moved = checkout ? await moveCheckedOut(repository, landing, checkout) : { moved: await compareAndSwap(repository, landing) };
  // The store made this commit, so the next look at the target finds it known.
  if (end.moved) store.known.add(landing.to);
  return end;
};

const moveCheckedOut = async (repository: Repository, landing: Landing, checkout: Checkout): Promise<Moved> => {
  const now = (await readTips(repository, [landing.ref])).get(landing.ref);
  if (now !== landing.from) return { moved: false };
  const lock = await lockCheckout(checkout, landing);
  let moved = false;
  try {
    await lock.check();
    moved = await compareAndSwap(repository, landing);
    if (moved) await bringAlong(lock);
    await lock.release();
  } catch (error) {
    await lock.release().catch(() => undefined);
    if (!moved) throw error;
    return { moved, left_behind: leftBehind(error) };
  }
  return { moved };
};

export interface Settled {
  readonly found: 'applied' | 'not_applied' | 'elsewhere';
  /** Why the work tree could not go along with a ref that had moved. */
  readonly left_behind?: string;
}

/**
 * Where a landing that was interrupted stands: `applied` (the ref is at or past `to`), `not_applied` (it is still `from`) or
 * `elsewhere`. Removes a lock that this landing left, and brings a checked-out work tree along when the ref had moved already.
 */
export const settleLanding = async (_store: Store, repository: Repository, landing: Landing): Promise<Settled> => {
  const now = (await readTips(repository, [landing.ref])).get(landing.ref);
  let left_behind: string | undefined;
  for (const checkout of await findCheckouts(repository, landing.ref)) {
    // A work tree that cannot be tidied changes nothing about where the ref is.
    await settleCheckout(checkout, landing, now === landing.to).catch((error: unknown) => (left_behind = leftBehind(error)));
  }
  if (now === landing.from) return { found: 'not_applied' };
  if (now === undefined) return { found: 'elsewhere' };
  if (now === landing.to) return { found: 'applied', ...(left_behind !== undefined && { left_behind }) };
  const { code } = await runGit({
    git_dir: repository.git_dir,
    args: ['merge-base', '--is-ancestor', landing.to, now],
    accept: [0, 1, 128],
  });
  return { found: code === 0 ? 'applied' : 'elsewhere' };
};
