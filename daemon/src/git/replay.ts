import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readBlobs } from './blobs.ts';
import { gitText, runGit } from './git.ts';
import { withEmptyIndex } from './index-file.ts';
import { nameOf, splitNul } from './names.ts';
import { readText } from './reader.ts';
import type { Store } from './store.ts';

export type Replay =
  | { readonly outcome: 'clean'; readonly tree: string }
  /** `paths` conflict; `message` says how, a line for each. */
  | { readonly outcome: 'conflict'; readonly paths: readonly string[]; readonly message: string };

/** One path that git could not settle by comparing whole files: up to three versions of it. */
interface Unsettled {
  /** As git has it; names need not be UTF-8. */
  readonly name: Buffer;
  readonly base?: Version;
  readonly ours?: Version;
  readonly theirs?: Version;
}

interface Version {
  readonly mode: string;
  readonly id: string;
}

const SIDES = { '1': 'base', '2': 'ours', '3': 'theirs' } as const;

const listUnsettled = async (store: Store, index: string): Promise<Unsettled[]> => {
  const { stdout } = await runGit({ git_dir: store.folder, index, args: ['ls-files', '-z', '--unmerged'] });
  const found = new Map<string, Unsettled>();
  for (const row of splitNul(stdout)) {
    const tab = row.indexOf(9);
    const [mode, id, stage] = row.toString('latin1', 0, tab).split(' ') as [string, string, '1' | '2' | '3'];
    const name = row.subarray(tab + 1);
    const key = name.toString('latin1');
    found.set(key, { ...(found.get(key) ?? { name }), [SIDES[stage]]: { mode, id } });
  }
  return [...found.values()];
};

const isFile = (version: Version | undefined): version is Version => version?.mode.startsWith('100') === true;

interface Merged {
  readonly name: Buffer;
  readonly mode: string;
  readonly content: Buffer;
}

/** What each side did to a path, for people. */
const words = ({ name, base, ours, theirs }: Unsettled): string => {
  const path = nameOf(name);
  if (base && !ours) return `${path}: the change edits it, the target has removed or renamed it`;
  if (base && !theirs) return `${path}: the change removes it, the target has edited it`;
  if (!base) return `${path}: the change and the target both add it, differently`;
  return `${path}: the change and the target edit the same place`;
};

/** Merges the text of a path that both sides edited; undefined where that is no question of text, or the text conflicts. */
const mergeText = async (store: Store, path: Unsettled, folder: string): Promise<Merged | undefined> => {
  const { base, ours, theirs } = path;
  if (!isFile(base) || !isFile(ours) || !isFile(theirs)) return undefined;
  const blobs = await readBlobs(store, [...new Set([base.id, ours.id, theirs.id])]);
  const files = { ours: join(folder, 'ours'), base: join(folder, 'base'), theirs: join(folder, 'theirs') };
  await Promise.all([
    writeFile(files.ours, blobs.get(ours.id)!),
    writeFile(files.base, blobs.get(base.id)!),
    writeFile(files.theirs, blobs.get(theirs.id)!),
  ]);
  const accept = Array.from({ length: 256 }, (_, code) => code);
  const end = await runGit({ git_dir: store.folder, args: ['merge-file', '-p', '-q', files.ours, files.base, files.theirs], accept });
  // The exit code is the number of conflicts, or 255 for what is no text.
  return end.code === 0 ? { name: path.name, mode: ours.mode === base.mode ? theirs.mode : ours.mode, content: end.stdout } : undefined;
};

const putBack = async (store: Store, index: string, merged: readonly Merged[]): Promise<void> => {
  for (const { name, mode, content } of merged) {
    const id = await gitText({ git_dir: store.folder, args: ['hash-object', '-w', '--stdin', '--no-filters'], stdin: content });
    const row = Buffer.concat([Buffer.from(`${mode} ${id}\t`), name, Buffer.from([0])]);
    await runGit({ git_dir: store.folder, index, args: ['update-index', '-z', '--index-info'], stdin: row });
  }
};

const settle = async (store: Store, index: string, unsettled: readonly Unsettled[]): Promise<Replay | undefined> => {
  // Beside the index in the store, where the sweep at start finds it when the daemon was killed: these are the user's own files.
  const folder = `${index}.merge`;
  await mkdir(folder, { mode: 0o700 });
  try {
    const merged: Merged[] = [];
    const conflicts: Unsettled[] = [];
    for (const path of unsettled) {
      const found = await mergeText(store, path, folder);
      if (found) merged.push(found);
      else conflicts.push(path);
    }
    if (conflicts.length > 0) {
      return {
        outcome: 'conflict',
        paths: conflicts.map(({ name }) => nameOf(name)),
        message: conflicts.map(words).join('\n').slice(0, 4000),
      };
    }
    await putBack(store, index, merged);
    return undefined;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

const treesOf = async (store: Store, commits: readonly string[]): Promise<string[]> =>
  (await readText({ git_dir: store.folder }, 'rev-parse', ...commits.map((commit) => `${commit}^{tree}`))).split('\n');

/**
 * Replays the change `base..snapshot` onto another commit, in the store, without any checkout. It is a plain three-way merge with
 * exactly `base` as the base. Renames are not followed, so that a change lands under the names that the fence saw or not at all
 * (git's own merge follows them whatever its settings say).
 */
export const replayChange = async (
  store: Store,
  change: { readonly base: string; readonly snapshot: string; readonly onto: string },
): Promise<Replay> => {
  const [base, wanted, onto] = (await treesOf(store, [change.base, change.snapshot, change.onto])) as [string, string, string];
  if (base === onto || wanted === onto) return { outcome: 'clean', tree: wanted };
  return withEmptyIndex(store, async (index): Promise<Replay> => {
    await runGit({ git_dir: store.folder, index, args: ['read-tree', '-i', '-m', '--aggressive', base, onto, wanted] });
    const unsettled = await listUnsettled(store, index);
    const conflict = unsettled.length === 0 ? undefined : await settle(store, index, unsettled);
    if (conflict) return conflict;
    const end = await runGit({ git_dir: store.folder, index, args: ['write-tree'], accept: [0, 128] });
    // A file on one side and a folder of that name on the other.
    if (end.code !== 0) return { outcome: 'conflict', paths: [], message: 'A file and a folder of the same name meet' };
    return { outcome: 'clean', tree: end.stdout.toString('latin1').trim() };
  });
};
