import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runGit } from './git.ts';
import { nameOf, splitNul } from './names.ts';

const LARGEST = 1024 * 1024;

/** The first filter that an attributes file asks for. A filter is a program that git would run over file contents. */
const filterIn = (text: string): string | undefined => {
  for (const line of text.split('\n')) {
    const found = /^\s*[^#\s].*?\sfilter=(\S+)/.exec(line);
    if (found) return found[1];
  }
  return undefined;
};

const fromInfo = async (common_dir: string): Promise<string | undefined> => {
  try {
    return filterIn(await readFile(join(common_dir, 'info', 'attributes'), 'utf8'));
  } catch {
    // No such file, the usual case.
    return undefined;
  }
};

/** Where a commit (or the repository beside it) asks for a filter, or undefined. Looks at all tracked `.gitattributes`. */
export const findFilter = async (
  { git_dir, common_dir }: { readonly git_dir: string; readonly common_dir: string },
  commit: string,
): Promise<{ readonly where: string; readonly name: string } | undefined> => {
  const info = await fromInfo(common_dir);
  if (info) return { where: 'info/attributes', name: info };
  const listed = await runGit({
    git_dir,
    args: ['ls-tree', '-r', '-z', '--full-tree', '--format=%(objectname)%x09%(path)', '--end-of-options', commit],
  });
  const files = splitNul(listed.stdout)
    .map((row) => ({ id: row.subarray(0, row.indexOf(9)).toString('latin1'), path: nameOf(row.subarray(row.indexOf(9) + 1)) }))
    .filter(({ path }) => path === '.gitattributes' || path.endsWith('/.gitattributes'));
  for (const { id, path } of files) {
    const { stdout } = await runGit({ git_dir, args: ['cat-file', 'blob', id], limit: LARGEST });
    const name = filterIn(stdout.toString('utf8'));
    if (name) return { where: path, name };
  }
  return undefined;
};
