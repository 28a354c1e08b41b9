import { runGit } from './git.ts';
import type { Store } from './store.ts';

const OBJECT_ID = /^([0-9a-f]{40}|[0-9a-f]{64})$/;

/** Whether `commit` is a commit of the store that one of `tips` reaches (a tip reaches itself). */
export const isReachable = async (store: Store, commit: string, tips: readonly string[]): Promise<boolean> => {
  if (!OBJECT_ID.test(commit)) return false;
  if (tips.includes(commit)) return true;
  const kind = await runGit({ git_dir: store.folder, args: ['cat-file', '-t', commit], accept: [0, 128] });
  if (kind.code !== 0 || kind.stdout.toString('latin1').trim() !== 'commit') return false;
  for (const tip of tips) {
    const { code } = await runGit({ git_dir: store.folder, args: ['merge-base', '--is-ancestor', commit, tip], accept: [0, 1] });
    if (code === 0) return true;
  }
  return false;
};
