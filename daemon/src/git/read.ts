import { FairleadError } from '@fairlead/shared/contract/errors';
import { runGit } from './git.ts';
import { nameOf, splitNul } from './names.ts';
import type { Store } from './store.ts';

export interface ListedFile {
  readonly path: string;
  readonly kind: 'file' | 'link' | 'submodule';
  /** Bytes; null for a submodule. */
  readonly size: number | null;
}

const KINDS: Readonly<Record<string, ListedFile['kind']>> = { '120000': 'link', '160000': 'submodule' };
/** One line of a search answer; the rest of a long line is left out. */
const LONGEST_LINE = 1000;

const tidy = (path: string, field: string): string => {
  const parts = path.replace(/\/$/, '').split('/');
  const outside =
    path.startsWith('/') || path.includes('\0') || (path !== '' && parts.some((part) => part === '' || part === '.' || part === '..'));
  if (outside)
    throw new FairleadError('invalid_input', {
      field,
      rule: 'must be a relative path inside the repository',
      detail: `${field} must be a relative path inside the repository`,
    });
  return path.replace(/\/$/, '');
};

const parseEntry = (row: Buffer): ListedFile => {
  const tab = row.indexOf(9);
  const [mode, , , size] = row.toString('latin1', 0, tab).split(/ +/) as [string, string, string, string];
  return { path: nameOf(row.subarray(tab + 1)), kind: KINDS[mode] ?? 'file', size: size === '-' ? null : Number(size) };
};

/** Lists tracked files below `path` ('' is the root), in byte order, `after` a path. @throws FairleadError `not_found`, `invalid_input` */
export const listFiles = async (
  store: Store,
  commit: string,
  { path, after, limit }: { readonly path: string; readonly after?: string; readonly limit: number },
): Promise<{ readonly items: readonly ListedFile[]; readonly next_after: string | null }> => {
  const below = tidy(path, 'path');
  const { stdout } = await runGit({
    git_dir: store.folder,
    args: ['ls-tree', '-r', '-z', '-l', '--full-tree', commit, ...(below === '' ? [] : ['--', below])],
  });
  const rows = splitNul(stdout);
  if (rows.length === 0 && below !== '') throw new FairleadError('not_found', { field: 'path', detail: 'There is no such tracked path' });
  const from = after === undefined ? 0 : rows.findIndex((row) => Buffer.compare(row.subarray(row.indexOf(9) + 1), Buffer.from(after)) > 0);
  const items = from === -1 ? [] : rows.slice(from, from + limit).map(parseEntry);
  return { items, next_after: from !== -1 && from + limit < rows.length ? items.at(-1)!.path : null };
};

/** A part of one tracked file; of a link, its target. @throws FairleadError `not_found`, `invalid_input` for a path that leaves the tree */
export const readFileAt = async (
  store: Store,
  commit: string,
  { path, offset, length }: { readonly path: string; readonly offset: number; readonly length: number },
): Promise<{ readonly size: number; readonly bytes: Buffer }> => {
  const name = tidy(path, 'path');
  const listed = await runGit({ git_dir: store.folder, args: ['ls-tree', '-z', '-l', '--full-tree', commit, '--', name] });
  const [mode, type, id, size] = listed.stdout.toString('latin1').split(/[ \t]+/);
  if (type !== 'blob' || mode === undefined)
    throw new FairleadError('not_found', { field: 'path', detail: 'There is no such tracked file' });
  // Git has no partial read; what is not wanted is dropped as it comes.
  const parts: Buffer[] = [];
  let at = 0;
  await runGit({
    git_dir: store.folder,
    args: ['cat-file', 'blob', id!],
    output: (chunk) => {
      const wanted = chunk.subarray(Math.max(0, offset - at), Math.max(0, offset + length - at));
      if (wanted.length > 0) parts.push(Buffer.from(wanted));
      at += chunk.length;
    },
  });
  return { size: Number(size), bytes: Buffer.concat(parts) };
};

/** `commit:path`, NUL, line number, NUL, the line, as git grep prints it. */
const parseMatch = (line: Buffer, commit: string): { path: string; line: number; text: string } | undefined => {
  const first = line.indexOf(0);
  const second = line.indexOf(0, first + 1);
  if (first === -1 || second === -1) return undefined;
  // The store's attributes call everything text, so that no difference is hidden; what holds NUL is not worth showing here.
  if (line.includes(0, second + 1)) return undefined;
  const text = nameOf(line.subarray(second + 1, second + 1 + LONGEST_LINE));
  return {
    path: nameOf(line.subarray(commit.length + 1, first)),
    line: Number(line.toString('latin1', first + 1, second)),
    text: text.replace(/\r$/, ''),
  };
};

/** Lines of tracked text files that hold a fixed string. */
export const searchFiles = async (
  store: Store,
  commit: string,
  {
    text,
    path,
    ignore_case,
    limit,
  }: { readonly text: string; readonly path: string; readonly ignore_case: boolean; readonly limit: number },
): Promise<{
  readonly matches: readonly { readonly path: string; readonly line: number; readonly text: string }[];
  readonly truncated: boolean;
}> => {
  const below = tidy(path, 'path');
  if (/[\0\n\r]/.test(text))
    throw new FairleadError('invalid_input', { field: 'text', rule: 'must be on one line', detail: 'text must be on one line' });
  const flags = [
    'grep',
    '-I',
    '-n',
    '-z',
    '--fixed-strings',
    '--no-color',
    '--no-textconv',
    '--full-name',
    '--threads=1',
    ...(ignore_case ? ['-i'] : []),
  ];
  // -m bounds the matches of one file; the size limit bounds the whole answer.
  const args = [...flags, '-m', String(limit + 1), '-e', text, commit, ...(below === '' ? [] : ['--', below])];
  const found: { path: string; line: number; text: string }[] = [];
  let held: Buffer = Buffer.alloc(0);
  const take = (chunk: Buffer): void => {
    if (found.length > limit) return;
    const all = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    let start = 0;
    for (let end = all.indexOf(0x0a); end !== -1 && found.length <= limit; end = all.indexOf(0x0a, start)) {
      const match = parseMatch(all.subarray(start, end), commit);
      if (match) found.push(match);
      start = end + 1;
    }
    held = all.subarray(start);
  };
  await runGit({ git_dir: store.folder, args, output: take, accept: [0, 1] });
  return { matches: found.slice(0, limit), truncated: found.length > limit };
};
