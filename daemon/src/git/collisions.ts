import { runGit } from './git.ts';
import { nameOf, splitNul } from './names.ts';
import type { Store } from './store.ts';

/** Every tracked name of a tree. */
export const namesIn = async (store: Store, tree: string): Promise<readonly string[]> => {
  const { stdout } = await runGit({ git_dir: store.folder, args: ['ls-tree', '-r', '-z', '--full-tree', '--name-only', tree] });
  return splitNul(stdout).map(nameOf);
};

/** How a case-insensitive, normalising file system sees a name. */
const folded = (name: string): string => name.normalize('NFC').toLowerCase().normalize('NFC');

/** A name and all folders that it lies in. */
const withFolders = function* (name: string): Generator<string> {
  for (let at = name.indexOf('/'); at !== -1; at = name.indexOf('/', at + 1)) yield name.slice(0, at);
  yield name;
};

/** Which new names would fall together with others on some file system, folders included (`Src/a` beside `src/b`). */
export const collisionsIn = (appeared: readonly string[], all: readonly string[]): { path: string; with: string }[] => {
  const wanted = new Map<string, Set<string>>();
  for (const name of appeared) for (const part of withFolders(name)) wanted.set(folded(part), new Set());
  for (const name of all) {
    for (const part of withFolders(name)) wanted.get(folded(part))?.add(part);
  }
  const found: { path: string; with: string }[] = [];
  for (const name of appeared) {
    for (const part of withFolders(name)) {
      const other = [...(wanted.get(folded(part)) ?? [])].find((candidate) => candidate !== part);
      if (other !== undefined) found.push({ path: name, with: other });
    }
  }
  return found;
};
