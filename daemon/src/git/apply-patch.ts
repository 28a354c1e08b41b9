import { FairleadError } from '@fairlead/shared/contract/errors';
import { gitText, gitWords, runGit } from './git.ts';
import { withBaseIndex } from './index-file.ts';
import { checkPatchForm } from './patch-form.ts';
import type { Store } from './store.ts';

const ARGS = ['apply', '--cached', '--whitespace=nowarn', '-p1', '-'];

/** Git says in these words that the patch itself is bad, whatever the base. */
const MALFORMED =
  /invalid path|corrupt|unrecognized input|No valid patches|lacks filename|inconsistent|garbage|recursively|invalid mode|invalid start of line/i;

/**
 * Applies a unified diff to a base commit, without fuzz and without any checkout, and answers the resulting tree.
 * @throws FairleadError `patch_invalid` (see `checkPatchForm`; also links that leave the tree, submodules, names that mean .git),
 *   `patch_not_applicable` in git's words
 */
export const applyPatch = async (store: Store, baseCommit: string, patch: Uint8Array): Promise<string> => {
  checkPatchForm(patch);
  // A last line without its end is the most common slip of a planner and means only one thing.
  const bytes = patch.at(-1) === 0x0a ? patch : Buffer.concat([patch, Buffer.from('\n')]);
  return withBaseIndex(store, baseCommit, async (index) => {
    const end = await runGit({ git_dir: store.folder, index, args: ARGS, stdin: bytes, accept: [0, 1, 128] });
    if (end.code !== 0) {
      const words = gitWords(end.stderr);
      const code = end.code === 128 || MALFORMED.test(words) ? 'patch_invalid' : 'patch_not_applicable';
      throw new FairleadError(code, { field: 'task.patch', detail: `git apply: ${words}`, rule: 'must apply to the base without fuzz' });
    }
    return gitText({ git_dir: store.folder, index, args: ['write-tree'] });
  });
};
