import { FairleadError } from '@fairlead/shared/contract/errors';
import { withRoomIn } from './full-disk.ts';
import { runGit } from './git.ts';
import { splitNul } from './names.ts';
import type { Store } from './store.ts';

/** A checkout that `checkOut` made, with the index that the daemon keeps of it. */
export interface KeptCheckout {
  readonly folder: string;
  readonly index: string;
  /** Commit or tree that is in it. */
  readonly holds: string;
}

/** Attributes decide about line ends, so that files which do not differ themselves would be written otherwise. */
const decidesLineEnds = (name: Buffer): boolean =>
  name
    .toString('latin1')
    .split('/')
    .some((part) => part.toLowerCase() === '.gitattributes');

/** Names, as bytes, of what differs between two commits or trees. */
const differing = async (store: Store, from: string, to: string): Promise<Buffer[]> => {
  const args = ['diff-tree', '-r', '-z', '--name-only', '--no-renames', '--no-ext-diff', from, to];
  return splitNul((await runGit({ git_dir: store.folder, args })).stdout);
};

/**
 * Whether a checkout is what its index says, as far as git looks: nothing changed, missing or added but folders without files. Judged by the stat data of the index, so that no
 * content is read of files that were left alone; what was written in the same second as the index is compared byte for byte.
 */
export const isUntouched = async (store: Store, { folder, index }: Omit<KeptCheckout, 'holds'>): Promise<boolean> => {
  const args = ['ls-files', '-z', '--others', '--modified', '--deleted'];
  return (await runGit({ git_dir: store.folder, work_tree: folder, index, args })).stdout.length === 0;
};

/**
 * Moves a checkout to another commit or tree by writing and removing only what differs, and looks at the result. Answers false where it has
 * to be made anew, because somebody was in the folder or the difference is of a kind that reaches further than the files in it; the
 * folder may hold anything then.
 * @throws FairleadError `disk_full`, `store_unwritable`
 */
export const moveCheckout = async (store: Store, { folder, index, holds }: KeptCheckout, to: string): Promise<boolean> => {
  try {
    if (holds !== to) {
      if ((await differing(store, holds, to)).some(decidesLineEnds)) return false;
      const args = ['read-tree', '-m', '-u', holds, to];
      await withRoomIn(folder, () => runGit({ git_dir: store.folder, work_tree: folder, index, args }));
    }
    return await isUntouched(store, { folder, index });
  } catch (error) {
    if (error instanceof FairleadError && error.code === 'internal') return false;
    throw error;
  }
};
