import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Store } from './store.ts';

/** Something in a workspace that is not taken into a snapshot; each one fails the fence. */
export interface SnapshotFinding {
  /** As `FenceFinding.rule` names it. */
  readonly rule: 'special_file' | 'file_too_large' | 'nested_repository' | 'too_many_files' | 'dot_git';
  readonly path: string;
  readonly message: string;
}

export interface Snapshot {
  /** Of everything but what the findings name. */
  readonly tree: string;
  readonly findings: readonly SnapshotFinding[];
}

/**
 * Takes all tracked and untracked files of a folder (ignored ones stay out) as a tree of the store. Kinds and sizes are looked at
 * with lstat before anything is read. A `.git` in the folder is never read.
 * @param index the index that the daemon keeps for this workspace, outside it
 */
export const takeSnapshot = async (store: Store, folder: string, index: string): Promise<Snapshot> => {
  throw new FairleadError('internal', { detail: `not yet: ${store.folder} ${folder} ${index}` });
};
