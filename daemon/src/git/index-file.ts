import { constants } from 'node:fs';
import { copyFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { randomBytes } from '@fairlead/shared/kit/clock';
import { runGit } from './git.ts';
import type { Store } from './store.ts';

/** Where a store keeps its private indexes; nothing else may write there. */
const folderOf = (store: Store): string => join(store.folder, 'indexes');

/** How many base indexes are kept. Steps mostly stand on the same few commits, and a copy is far cheaper than git. */
const KEPT = 4;

const dropOldest = async (folder: string): Promise<void> => {
  const names = (await readdir(folder)).filter((name) => name.startsWith('base-'));
  if (names.length <= KEPT) return;
  const ages = await Promise.all(names.map(async (name) => ({ name, at: (await stat(join(folder, name))).mtimeMs })));
  ages.sort((a, b) => b.at - a.at);
  for (const { name } of ages.slice(KEPT)) await rm(join(folder, name), { force: true });
};

const copied = async (from: string, to: string): Promise<boolean> => {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE);
    return true;
  } catch {
    // It is not there, or was dropped in this moment: it is made anew.
    return false;
  }
};

/** Removes what a crash left of private indexes, and of merges beside them. */
export const dropLeftIndexes = async (store: Store): Promise<void> => {
  const names = await readdir(folderOf(store)).catch(() => []);
  await Promise.all(
    names.filter((name) => name.startsWith('use-')).map((name) => rm(join(folderOf(store), name), { recursive: true, force: true })),
  );
};

/** Runs `work` with the name of a private index that does not exist yet, and removes it afterwards. */
export const withEmptyIndex = async <T>(store: Store, work: (index: string) => Promise<T>): Promise<T> => {
  await mkdir(folderOf(store), { recursive: true, mode: 0o700 });
  const index = join(folderOf(store), `use-${randomBytes(12).toString('hex')}`);
  try {
    return await work(index);
  } finally {
    await Promise.all([rm(index, { force: true }), rm(`${index}.lock`, { force: true })]);
  }
};

/** Runs `work` with a private index that holds exactly the tree of `commit`, and removes it afterwards. */
export const withBaseIndex = <T>(store: Store, commit: string, work: (index: string) => Promise<T>): Promise<T> =>
  withEmptyIndex(store, async (index) => {
    const base = join(folderOf(store), `base-${commit}`);
    if (!(await copied(base, index))) {
      await runGit({ git_dir: store.folder, index, args: ['read-tree', commit] });
      const copy = `${index}.copy`;
      if (await copied(index, copy)) await rename(copy, base);
      await dropOldest(folderOf(store));
    }
    return work(index);
  });
