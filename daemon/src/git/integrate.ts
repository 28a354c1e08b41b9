import { FairleadError } from '@fairlead/shared/contract/errors';
import { gitWords, pipeGit, runGit } from './git.ts';
import type { Landing } from './landing.ts';
import { readTips, type Repository } from './repository.ts';
import type { Store } from './store.ts';
import { bringAlong, findCheckouts, lockCheckout, settleCheckout, type Checkout } from './work-tree.ts';

const IDENTITY = { GIT_COMMITTER_NAME: 'Fairlead', GIT_COMMITTER_EMAIL: 'fairlead@localhost' };

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

const compareAndSwap = async (repository: Repository, landing: Landing): Promise<'moved' | 'stale'> => {
  const { ref, from, to, token } = landing;
  const end = await runGit({
    git_dir: repository.git_dir,
    args: ['update-ref', '-m', `fairlead: integrate ${token}`, ref, to, from],
    identity: IDENTITY,
    accept: [0, 1, 128],
  });
  if (end.code === 0) return 'moved';
  const now = (await readTips(repository, [ref])).get(ref);
  if (now !== from) return 'stale';
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
 * @throws FairleadError `target_dirty` (nothing moved), `repository_unsupported` (checked out twice; nothing moved),
 *   `target_moved` (another git holds a lock; nothing moved), `effect_in_doubt` (moved, but the work tree could not go along)
 */
export const moveRef = async (store: Store, repository: Repository, landing: Landing): Promise<'moved' | 'stale'> => {
  const checkout = onlyCheckout(await findCheckouts(repository, landing.ref));
  const moved = checkout ? await moveCheckedOut(repository, landing, checkout) : await compareAndSwap(repository, landing);
  // The store made this commit, so the next look at the target finds it known.
  if (moved === 'moved') store.known.add(landing.to);
  return moved;
};

const moveCheckedOut = async (repository: Repository, landing: Landing, checkout: Checkout): Promise<'moved' | 'stale'> => {
  const now = (await readTips(repository, [landing.ref])).get(landing.ref);
  if (now !== landing.from) return 'stale';
  const lock = await lockCheckout(checkout, landing);
  try {
    await lock.check();
    const moved = await compareAndSwap(repository, landing);
    if (moved === 'moved') await bringAlong(lock);
    return moved;
  } finally {
    await lock.release();
  }
};

/**
 * Where a landing that was interrupted stands: `applied` (the ref is at or past `to`), `not_applied` (it is still `from`) or
 * `elsewhere`. Removes a lock that this landing left, and brings a checked-out work tree along when the ref had moved already.
 */
export const settleLanding = async (
  _store: Store,
  repository: Repository,
  landing: Landing,
): Promise<'applied' | 'not_applied' | 'elsewhere'> => {
  const now = (await readTips(repository, [landing.ref])).get(landing.ref);
  for (const checkout of await findCheckouts(repository, landing.ref)) await settleCheckout(checkout, landing, now === landing.to);
  if (now === landing.from) return 'not_applied';
  if (now === undefined) return 'elsewhere';
  if (now === landing.to) return 'applied';
  const { code } = await runGit({
    git_dir: repository.git_dir,
    args: ['merge-base', '--is-ancestor', landing.to, now],
    accept: [0, 1, 128],
  });
  return code === 0 ? 'applied' : 'elsewhere';
};
