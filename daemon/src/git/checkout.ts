import { copyFile, mkdir, readFile, rename, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '@fairlead/shared/kit/clock';
import { withRoomIn } from './full-disk.ts';
import { runGit } from './git.ts';
import type { Store } from './store.ts';

/** Fills an empty folder with the files of a commit, and keeps the index of that at `index`, outside the folder. */
export const checkOut = async (store: Store, commit: string, folder: string, index: string): Promise<void> => {
  await runGit({ git_dir: store.folder, index, args: ['read-tree', commit] });
  const args = ['checkout-index', '--all', '--index', '--force', '--quiet'];
  await withRoomIn(folder, () => runGit({ git_dir: store.folder, work_tree: folder, index, args }));
};

/** Beyond the second itself, because the clock of a file system may run a little behind. In ms. */
const BEHIND = 25;

/**
 * Lets the second pass in which an index was written, and dates the index after it. Git compares times by the second and so reads again
 * every file as old as its index, which for a fresh checkout is all of them. Only for a checkout that nobody works in yet.
 */
export const settleIndex = async (index: string, signal: AbortSignal): Promise<void> => {
  const { mtimeMs } = await stat(index);
  await systemClock.sleep(Math.max(0, (Math.floor(mtimeMs / 1000) + 1) * 1000 + BEHIND - systemClock.now()), signal);
  const now = systemClock.now() / 1000;
  await utimes(index, now, now);
};

/** Untracked files that the project does not ignore, as they lie in a checkout; names as bytes. */
export const listUntracked = async (store: Store, folder: string, index: string): Promise<Buffer> =>
  (await runGit({ git_dir: store.folder, work_tree: folder, index, args: ['ls-files', '-z', '--others', '--exclude-standard'] })).stdout;

/** Makes an empty `.git` in a folder, of the kind that `addPrivateGit` takes. */
export const initPrivateGit = async (store: Store, folder: string): Promise<void> => {
  const git_dir = join(folder, '.git');
  await mkdir(git_dir, { recursive: true, mode: 0o700 });
  await runGit({
    git_dir,
    work_tree: folder,
    args: ['init', '-q', '--template=', '--initial-branch=work', `--object-format=${store.object_format}`],
  });
  await mkdir(join(git_dir, 'objects', 'info'), { recursive: true });
  await mkdir(join(git_dir, 'refs', 'heads'), { recursive: true });
};

/**
 * Puts a throw-away `.git` into a fresh checkout, for executors that want to commit. It borrows the store's objects from
 * `objects`, the place where the executor will see them; nothing that happens in it is ever read by the daemon.
 */
export const addPrivateGit = async (
  store: Store,
  commit: string,
  checkout: {
    readonly folder: string;
    readonly index: string;
    readonly objects: string;
    /** A folder in which `initPrivateGit` made one ahead of need. */
    readonly made?: string;
  },
): Promise<void> => {
  const git_dir = join(checkout.folder, '.git');
  if (checkout.made === undefined) await initPrivateGit(store, checkout.folder);
  else await rename(join(checkout.made, '.git'), git_dir);
  const shallow = await readFile(join(store.folder, 'shallow')).catch(() => undefined);
  await Promise.all([
    writeFile(join(git_dir, 'objects', 'info', 'alternates'), `${checkout.objects}\n`),
    writeFile(join(git_dir, 'refs', 'heads', 'work'), `${commit}\n`),
    copyFile(checkout.index, join(git_dir, 'index')),
    shallow && writeFile(join(git_dir, 'shallow'), shallow),
  ]);
};
