import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Store } from './store.ts';

/**
 * Applies a unified diff to a base commit, without fuzz and without any checkout, and answers the resulting tree.
 * @throws FairleadError `patch_invalid` (see `checkPatchForm`; also links that leave the tree, submodules, names that mean .git),
 *   `patch_not_applicable` in git's words
 */
export const applyPatch = async (store: Store, baseCommit: string, patch: Uint8Array): Promise<string> => {
  throw new FairleadError('internal', { detail: `not yet: ${store.folder} ${baseCommit} ${patch.length}` });
};
