import { copyFile, lstat, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runGit } from './git.ts';
import { splitNul } from './names.ts';

/** A checkout with the index that the daemon keeps for it. */
export interface Place {
  readonly git_dir: string;
  readonly work_tree: string;
  readonly index: string;
}

/** What an index says of one path. */
export interface IndexEntry {
  readonly mode: string;
  readonly id: string;
}

/** The entries of an index; names are one character per byte. */
export const listEntries = async (place: Place): Promise<ReadonlyMap<string, IndexEntry>> => {
  const { stdout } = await runGit({ ...place, args: ['ls-files', '-z', '--stage', '--full-name'] });
  return new Map(
    splitNul(stdout).map((row) => {
      const text = row.toString('latin1');
      const [mode = '', id = ''] = text.split(' ', 2);
      return [text.slice(text.indexOf('\t') + 1), { mode, id }];
    }),
  );
};

/** Names as git reads them with `-z`. */
export const asNames = (names: Iterable<string>): Buffer => Buffer.from([...names].map((name) => `${name}\0`).join(''), 'latin1');

const ATTRIBUTES = /(^|\/)\.gitattributes$/;
const FILE = /^100/;

const bytesAt = (folder: string, path: string): Buffer => Buffer.from(`${Buffer.from(folder).toString('latin1')}/${path}`, 'latin1');

const holdTheSame = async (one: Buffer, other: Buffer): Promise<boolean> => {
  const facts = await Promise.all([one, other].map((path) => lstat(path).catch(() => undefined)));
  if (!facts.every((found) => found?.isFile()) || facts[0]!.size !== facts[1]!.size) return false;
  const [first, second] = await Promise.all([readFile(one), readFile(other)]);
  return first.equals(second);
};

/**
 * Takes what changed in a checkout into its index with `take`, but keeps the entry of each file that holds just what a checkout of that entry
 * writes. Attributes may ask for a conversion that the stored content never went through (`text` on a file that was committed with CRLF);
 * git then calls the file modified although nobody touched it, or not, as the times of files happen to fall.
 */
export const takeWithoutUntouched = async (
  place: Place,
  before: ReadonlyMap<string, IndexEntry>,
  files: ReadonlySet<string>,
  take: () => Promise<void>,
): Promise<void> => {
  const converts = [...before.keys(), ...files].some((path) => ATTRIBUTES.test(path));
  if (!converts) return take();
  const aside = `${place.index}.untouched`;
  const index = join(aside, 'index');
  const folder = join(aside, 'files');
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await copyFile(place.index, index);
    await take();
    const after = await listEntries(place);
    const changed = [...after].filter(([path, { mode, id }]) => {
      const old = before.get(path);
      return old && FILE.test(old.mode) && FILE.test(mode) && old.id !== id;
    });
    if (changed.length === 0) return;
    const args = ['checkout-index', '-z', '--stdin', '--force', '--quiet', `--prefix=${folder}/`];
    await runGit({ ...place, index, args, stdin: asNames(changed.map(([path]) => path)) });
    const rows: string[] = [];
    for (const [path, { mode }] of changed) {
      if (await holdTheSame(bytesAt(folder, path), bytesAt(place.work_tree, path))) rows.push(`${mode} ${before.get(path)!.id}\t${path}`);
    }
    if (rows.length > 0) await runGit({ ...place, args: ['update-index', '-z', '--index-info'], stdin: asNames(rows) });
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
};
