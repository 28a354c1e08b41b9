import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runGit } from './git.ts';
import type { Store } from './store.ts';

/** Fills an empty folder with the files of a commit, and keeps the index of that at `index`, outside the folder. */
export const checkOut = async (store: Store, commit: string, folder: string, index: string): Promise<void> => {
  await runGit({ git_dir: store.folder, index, args: ['read-tree', commit] });
  await runGit({ git_dir: store.folder, work_tree: folder, index, args: ['checkout-index', '--all', '--index', '--force', '--quiet'] });
};

/** Untracked files that the project does not ignore, as they lie in a checkout; names as bytes. */
export const listUntracked = async (store: Store, folder: string, index: string): Promise<Buffer> =>
  (await runGit({ git_dir: store.folder, work_tree: folder, index, args: ['ls-files', '-z', '--others', '--exclude-standard'] })).stdout;

/**
 * Puts a throw-away `.git` into a fresh checkout, for executors that want to commit. It borrows the store's objects from
 * `objects`, the place where the executor will see them; nothing that happens in it is ever read by the daemon.
 */
export const addPrivateGit = async (
  store: Store,
  commit: string,
  checkout: { readonly folder: string; readonly index: string; readonly objects: string },
): Promise<void> => {
  const git_dir = join(checkout.folder, '.git');
  await mkdir(git_dir, { mode: 0o700 });
  await runGit({
    git_dir,
    work_tree: checkout.folder,
    args: ['init', '-q', '--template=', '--initial-branch=work', `--object-format=${store.object_format}`],
  });
  await mkdir(join(git_dir, 'objects', 'info'), { recursive: true });
  await writeFile(join(git_dir, 'objects', 'info', 'alternates'), `${checkout.objects}\n`);
  await mkdir(join(git_dir, 'refs', 'heads'), { recursive: true });
  await writeFile(join(git_dir, 'refs', 'heads', 'work'), `${commit}\n`);
  await copyFile(checkout.index, join(git_dir, 'index'));
  const shallow = await readFile(join(store.folder, 'shallow')).catch(() => undefined);
  if (shallow) await writeFile(join(git_dir, 'shallow'), shallow);
};
