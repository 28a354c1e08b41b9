import { constants } from 'node:fs';
import { copyFile, link, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { gitWords, runGit } from './git.ts';
import type { Landing } from './landing.ts';
import { readText } from './reader.ts';
import type { Repository } from './repository.ts';
import { readSettings, withoutFilters } from './settings.ts';

/** A work tree of the user that has the target checked out. */
export interface Checkout {
  readonly git_dir: string;
  readonly work_tree: string;
}

/** Every work tree that has a branch checked out and still exists. */
export const findCheckouts = async (repository: Repository, ref: string): Promise<readonly Checkout[]> => {
  const end = await runGit({ git_dir: repository.git_dir, args: ['worktree', 'list', '--porcelain', '-z'] });
  const found: Checkout[] = [];
  for (const entry of end.stdout.toString('utf8').split('\0\0')) {
    const lines = entry.split('\0');
    const path = lines.find((line) => line.startsWith('worktree '))?.slice('worktree '.length);
    if (path === undefined || !lines.includes(`branch ${ref}`) || lines.includes('bare')) continue;
    // The main work tree of a repository with a separate git folder is listed under another name; the owner's own name is right then.
    const work_tree = repository.work_tree !== null && (await sameFolder(path, repository.work_tree)) ? repository.work_tree : path;
    if (!(await stat(work_tree).catch(() => undefined))) continue;
    const git_dir =
      work_tree === repository.work_tree
        ? repository.git_dir
        : await readText({ git_dir: work_tree, search: true }, 'rev-parse', '--path-format=absolute', '--absolute-git-dir');
    found.push({ git_dir, work_tree });
  }
  return found;
};

const sameFolder = async (a: string, b: string): Promise<boolean> => {
  const [left, right] = await Promise.all([stat(a).catch(() => undefined), stat(b).catch(() => undefined)]);
  return left !== undefined && left.ino === right?.ino && left.dev === right.dev;
};

export interface CheckoutLock {
  readonly checkout: Checkout;
  readonly landing: Landing;
  readonly config: readonly (readonly [string, string])[];
  /** A copy of the user's index, on which everything is tried first. */
  readonly copy: string;
  /** @throws FairleadError `target_dirty` */
  check(): Promise<void>;
  /** Gives the index back, unchanged unless `bringAlong` has replaced it. */
  release(): Promise<void>;
}

const lockFile = ({ git_dir }: Checkout): string => join(git_dir, 'index.lock');
const lockText = ({ token }: Landing): string => `fairlead ${token}\n`;

const git = (lock: Pick<CheckoutLock, 'checkout' | 'config' | 'copy'>, args: readonly string[]) =>
  runGit({ ...lock.checkout, index: lock.copy, config: lock.config, args, accept: [0, 1, 128] });

const dirty = (detail: string): FairleadError => new FairleadError('target_dirty', { detail });

/** Takes the files from one commit to the other; refuses to overwrite anything that a person changed or did not track. */
const TWO_WAY = ['read-tree', '-m', '-u', '--no-recurse-submodules'];

const checkClean = async (lock: Pick<CheckoutLock, 'checkout' | 'config' | 'copy' | 'landing'>): Promise<void> => {
  // A file that was only touched must not count as changed.
  await git(lock, ['update-index', '-q', '--refresh']);
  const status = await git(lock, ['status', '--porcelain', '--untracked-files=no', '--ignore-submodules=all', '--no-renames']);
  if (status.code !== 0) throw dirty(`The state of the work tree cannot be read: ${gitWords(status.stderr)}`);
  if (status.stdout.length > 0) throw dirty('The checked-out target has uncommitted changes');
  const trial = await git(lock, [...TWO_WAY, '-n', lock.landing.from, lock.landing.to]);
  if (trial.code !== 0) throw dirty(`The work tree has files in the way: ${gitWords(trial.stderr)}`);
};

/**
 * Locks a work tree's index as git itself does, so that no other git changes or commits it meanwhile.
 * @throws FairleadError `target_moved` when another git holds it
 */
export const lockCheckout = async (checkout: Checkout, landing: Landing): Promise<CheckoutLock> => {
  const config = withoutFilters(await readSettings(checkout));
  const file = lockFile(checkout);
  const copy = join(checkout.git_dir, `fairlead-index-${landing.token.replaceAll(/[^A-Za-z0-9_-]/g, '_')}`);
  // Written beside and linked into place, so that the lock of a crash always says whose it is.
  const mine = `${copy}.mine`;
  await writeFile(mine, lockText(landing)).catch((cause: unknown) => {
    throw new FairleadError('store_unwritable', { detail: 'The repository cannot be written', cause });
  });
  try {
    await link(mine, file);
  } catch (error) {
    const cause = error as NodeJS.ErrnoException;
    if (cause.code === 'EEXIST')
      throw new FairleadError('target_moved', {
        detail: 'Another git is at work in the work tree of the target',
        hint: 'Wait until it has ended; if none runs, remove index.lock from its git folder.',
      });
    throw new FairleadError('store_unwritable', { detail: 'The repository cannot be written', cause });
  } finally {
    await rm(mine, { force: true });
  }
  const release = async (): Promise<void> => {
    await Promise.all([rm(copy, { force: true }), rm(`${copy}.lock`, { force: true })]);
    await rm(file, { force: true });
  };
  try {
    await copyFile(join(checkout.git_dir, 'index'), copy, constants.COPYFILE_FICLONE);
  } catch (cause) {
    await release();
    throw new FairleadError('target_dirty', { detail: 'The index of the work tree cannot be read', cause });
  }
  const base = { checkout, landing, config, copy };
  return { ...base, check: () => checkClean(base), release };
};

/** Why a work tree stayed behind, in words that may travel. */
export const leftBehind = (error: unknown): string =>
  error instanceof FairleadError && error.code === 'effect_in_doubt'
    ? error.message
    : 'The target has moved, but its work tree or index could not go along';

/**
 * After the ref has moved: takes index and files of the work tree along.
 * @throws FairleadError `effect_in_doubt` when a person changed a file in the moment between the check and this
 */
export const bringAlong = async (lock: CheckoutLock): Promise<void> => {
  const end = await git(lock, [...TWO_WAY, lock.landing.from, lock.landing.to]);
  if (end.code !== 0) {
    throw new FairleadError('effect_in_doubt', {
      detail: `The target has moved, but its work tree could not go along: ${gitWords(end.stderr)}`,
      hint: 'Look at git status there; git restore --staged --worktree brings single files to the new state.',
    });
  }
  await rename(lock.copy, join(lock.checkout.git_dir, 'index'));
};

/** After a crash: removes a lock that this landing left behind, and takes the work tree along if the ref had moved. */
export const settleCheckout = async (checkout: Checkout, landing: Landing, moved: boolean): Promise<void> => {
  const ours = (await readFile(lockFile(checkout), 'utf8').catch(() => '')) === lockText(landing);
  if (!ours) return;
  await rm(lockFile(checkout), { force: true });
  if (!moved) {
    await (await lockCheckout(checkout, landing)).release();
    return;
  }
  const lock = await lockCheckout(checkout, landing);
  try {
    // Done already when the index says what the new commit says.
    const staged = await git(lock, ['diff-index', '--cached', '--quiet', landing.to]);
    if (staged.code !== 0) await bringAlong(lock);
  } finally {
    await lock.release();
  }
};
