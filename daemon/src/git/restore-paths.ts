import { gitText, runGit } from './git.ts';
import { withBaseIndex } from './index-file.ts';
import type { DiffEntry } from './difference.ts';
import type { Store } from './store.ts';

const ABSENT = '000000';

/** A tree with some paths put back as another tree has them; an `old_mode` of 000000 removes the path. */
export const restorePaths = async (
  store: Store,
  tree: string,
  entries: readonly Pick<DiffEntry, 'path' | 'old_mode' | 'old_id'>[],
): Promise<string> => {
  if (entries.length === 0) return tree;
  return withBaseIndex(store, tree, async (index) => {
    // Removals first, so that a file may come back where a folder was.
    const rows = entries
      .toSorted((a, b) => Number(b.old_mode === ABSENT) - Number(a.old_mode === ABSENT))
      .map(({ path, old_mode, old_id }) => `${old_mode} ${old_id}\t${path}\0`);
    await runGit({
      git_dir: store.folder,
      index,
      args: ['update-index', '-z', '--add', '--replace', '--index-info'],
      stdin: rows.join(''),
    });
    return gitText({ git_dir: store.folder, index, args: ['write-tree'] });
  });
};
