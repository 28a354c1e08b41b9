import { runGit } from './git.ts';
import type { Store } from './store.ts';

/** File systems give out room in pieces of this size, nearly everywhere. In bytes. */
const BLOCK = 4096;

/** About how many bytes a checkout of a commit takes, without its folders: each file and link in whole blocks, by sizes in the store alone. */
export const checkoutBytes = async (store: Store, commit: string): Promise<number> => {
  let bytes = 0;
  let rest = '';
  await runGit({
    git_dir: store.folder,
    args: ['ls-tree', '-r', '-l', '-z', commit],
    output: (chunk) => {
      const rows = (rest + chunk.toString('latin1')).split('\0');
      rest = rows.pop()!;
      for (const row of rows) {
        // <mode> <kind> <id> <size, or - for a submodule>\t<name>
        const size = Number(row.slice(0, row.indexOf('\t')).split(/ +/)[3]);
        if (Number.isFinite(size)) bytes += Math.max(BLOCK, Math.ceil(size / BLOCK) * BLOCK);
      }
    },
  });
  return bytes;
};
