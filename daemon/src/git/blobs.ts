import { runGit } from './git.ts';
import type { Store } from './store.ts';

/** Whole objects of the store by id, in one git process. For small things only: links, policy and attributes files. */
export const readBlobs = async (store: Store, ids: readonly string[]): Promise<ReadonlyMap<string, Buffer>> => {
  const { stdout } = await runGit({
    git_dir: store.folder,
    args: ['cat-file', '--batch=%(objectname) %(objecttype) %(objectsize)'],
    stdin: `${ids.join('\n')}\n`,
  });
  const found = new Map<string, Buffer>();
  for (let at = 0; at < stdout.length;) {
    const end = stdout.indexOf(0x0a, at);
    const [id, type, size] = stdout.toString('latin1', at, end).split(' ');
    if (type === 'missing' || size === undefined) {
      at = end + 1;
      continue;
    }
    found.set(id!, stdout.subarray(end + 1, end + 1 + Number(size)));
    at = end + 1 + Number(size) + 1;
  }
  return found;
};
