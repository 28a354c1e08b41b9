import { createHash } from 'node:crypto';
import { readBlobs } from './blobs.ts';
import { collisionsIn, namesIn } from './collisions.ts';
import { readDiffFront, type DiffFront } from './diff-front.ts';
import { runGit } from './git.ts';
import { nameOf, splitNul } from './names.ts';
import type { Store } from './store.ts';

/** One entry of the raw difference of two trees, with its line counts. The fence reads these, never patch text. */
export interface DiffEntry {
  /** Names that are not UTF-8 are shown with \xNN. */
  readonly path: string;
  readonly status: 'added' | 'modified' | 'deleted' | 'type_changed';
  /** Six octal digits: 100644, 100755, 120000 (link), 160000 (submodule), 000000 (absent). */
  readonly old_mode: string;
  readonly new_mode: string;
  readonly old_id: string;
  readonly new_id: string;
  /** Lines; null where git counts none. */
  readonly added: number | null;
  readonly removed: number | null;
  /** What a new or changed link points to; null for anything else. */
  readonly link_target: string | null;
}

export interface Difference {
  readonly entries: readonly DiffEntry[];
  /** `sha256:…` over the raw difference (modes, ids, names): what a gate is bound to. */
  readonly digest: string;
  readonly added: number;
  readonly removed: number;
  /** New names that another name in the new tree equals but for case or normalisation. */
  readonly collisions: readonly { readonly path: string; readonly with: string }[];
  /** The raw difference and the line counts as git printed them, names with NUL: the `names` and `numstat` artifacts. */
  readonly names: Buffer;
  readonly numstat: Buffer;
}

const STATUS: Readonly<Record<string, DiffEntry['status']>> = { A: 'added', M: 'modified', D: 'deleted', T: 'type_changed' };
const LINK = '120000';
const ARGS = [
  'diff-tree',
  '-r',
  '-z',
  '--raw',
  '--numstat',
  '--no-renames',
  '--full-index',
  '--no-abbrev',
  '--no-ext-diff',
  '--no-textconv',
  '--no-color',
];

const readCounts = (numstat: Buffer): ReadonlyMap<string, readonly [number | null, number | null]> =>
  new Map(
    splitNul(numstat).map((field) => {
      const text = field.toString('latin1');
      const [added, removed] = text.split('\t', 2);
      const name = text.slice(added!.length + removed!.length + 2);
      return [name, [added === '-' ? null : Number(added), removed === '-' ? null : Number(removed)]] as const;
    }),
  );

const readEntries = ({ names, numstat }: DiffFront): DiffEntry[] => {
  const counts = readCounts(numstat);
  const fields = splitNul(names);
  const entries: DiffEntry[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [old_mode, new_mode, old_id, new_id, status] = fields[at]!.toString('latin1').slice(1).split(' ') as [
      string,
      string,
      string,
      string,
      string,
    ];
    const [added, removed] = counts.get(fields[at + 1]!.toString('latin1')) ?? [null, null];
    entries.push({
      path: nameOf(fields[at + 1]!),
      status: STATUS[status[0]!] ?? 'modified',
      old_mode,
      new_mode,
      old_id,
      new_id,
      added,
      removed,
      link_target: null,
    });
  }
  return entries;
};

const withLinkTargets = async (store: Store, entries: DiffEntry[]): Promise<DiffEntry[]> => {
  const links = entries.filter(({ new_mode }) => new_mode === LINK);
  if (links.length === 0) return entries;
  const targets = await readBlobs(store, [...new Set(links.map(({ new_id }) => new_id))]);
  return entries.map((entry) =>
    entry.new_mode === LINK ? { ...entry, link_target: nameOf(targets.get(entry.new_id) ?? Buffer.alloc(0)) } : entry,
  );
};

const sum = (entries: readonly DiffEntry[], side: 'added' | 'removed'): number =>
  entries.reduce((total, entry) => total + (entry[side] ?? 0), 0);

/**
 * The difference of two trees or commits of the store, in one git process (a second one only for links, a third only where names
 * were added). The patch text goes to `patch` as it comes; a slow receiver slows git down, so that a patch of any size passes in
 * bounded memory.
 */
export const readDifference = async (
  store: Store,
  from: string,
  to: string,
  patch?: (chunk: Buffer) => void | Promise<void>,
): Promise<Difference> => {
  const reader = readDiffFront();
  await runGit({
    git_dir: store.folder,
    args: [...ARGS, ...(patch ? ['-p'] : []), from, to],
    output: (chunk) => {
      const text = reader.push(chunk);
      return text && text.length > 0 ? patch?.(text) : undefined;
    },
  });
  const front = reader.end();
  const entries = await withLinkTargets(store, readEntries(front));
  const appeared = entries.filter(({ status }) => status === 'added').map(({ path }) => path);
  return {
    entries,
    digest: `sha256:${createHash('sha256').update(front.names).digest('hex')}`,
    added: sum(entries, 'added'),
    removed: sum(entries, 'removed'),
    collisions: appeared.length === 0 ? [] : collisionsIn(appeared, await namesIn(store, to)),
    names: front.names,
    numstat: front.numstat,
  };
};
