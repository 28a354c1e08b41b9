import { lstat, readdir, readFile } from 'node:fs/promises';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { gitText, runGit } from './git.ts';
import { meansDotGit } from './link-target.ts';
import { nameOf, splitNul } from './names.ts';
import type { Store } from './store.ts';
import { asNames, listEntries, takeWithoutUntouched, type IndexEntry, type Place } from './untouched.ts';

/** Something in a workspace that is not taken into a snapshot; each one fails the fence. */
export interface SnapshotFinding {
  /** As `FenceFinding.rule` names it. */
  readonly rule: 'special_file' | 'file_too_large' | 'nested_repository' | 'too_many_files' | 'dot_git';
  readonly path: string;
  readonly message: string;
}

export interface Snapshot {
  /** Of everything but what the findings name. */
  readonly tree: string;
  readonly findings: readonly SnapshotFinding[];
}

/** The file beside an index that names, ended by NUL each, what provisioning put into the workspace: it is no part of the work. */
export const provisionedFile = (index: string): string => `${index}.provisioned`;

const SUBMODULE = '160000';
const SEPARATOR = Buffer.from('/');

/** Paths are kept as one character per byte, because names need not be UTF-8. */
interface Walk {
  readonly root: Buffer;
  /** Ignored or provisioned; folders end with a slash. */
  readonly left_out: ReadonlySet<string>;
  readonly most: number;
  readonly files: Set<string>;
  /** Folders and files that a finding names. */
  readonly refused: Set<string>;
  readonly findings: SnapshotFinding[];
}

const refuse = (walk: Walk, path: string, rule: SnapshotFinding['rule'], message: string): void => {
  walk.refused.add(path);
  const shown = nameOf(Buffer.from(path, 'latin1'));
  walk.findings.push({ rule, path: shown, message: `${shown} ${message}` });
};

const takeFile = async (walk: Walk, path: string): Promise<void> => {
  const facts = await lstat(Buffer.concat([walk.root, SEPARATOR, Buffer.from(path, 'latin1')]));
  if (facts.isSymbolicLink()) walk.files.add(path);
  else if (!facts.isFile()) refuse(walk, path, 'special_file', 'is neither a file nor a link');
  else if (facts.size > LIMITS.snapshot_file.value)
    refuse(walk, path, 'file_too_large', `holds ${facts.size} bytes; the limit is ${LIMITS.snapshot_file.value}`);
  else walk.files.add(path);
};

/** Goes through one folder; answers false once there are more files than may be. */
const walkFolder = async (walk: Walk, below: string): Promise<boolean> => {
  const folder = below === '' ? walk.root : Buffer.concat([walk.root, SEPARATOR, Buffer.from(below.slice(0, -1), 'latin1')]);
  const entries = await readdir(folder, { withFileTypes: true, encoding: 'buffer' });
  const isRoot = below === '';
  if (!isRoot && entries.some((entry) => entry.name.toString('latin1') === '.git')) {
    refuse(walk, below.slice(0, -1), 'nested_repository', 'is a git repository of its own; its content cannot be seen from outside');
    return true;
  }
  const files: string[] = [];
  for (const entry of entries) {
    const name = entry.name.toString('latin1');
    const path = below + name;
    if (isRoot && name === '.git') continue;
    if (walk.left_out.has(path) || walk.left_out.has(`${path}/`)) continue;
    if (meansDotGit(nameOf(entry.name))) refuse(walk, path, 'dot_git', 'means .git on some file systems');
    else if (!entry.isDirectory()) files.push(path);
    else if (!(await walkFolder(walk, `${path}/`))) return false;
  }
  await Promise.all(files.map((path) => takeFile(walk, path)));
  return walk.files.size <= walk.most;
};

/** Untracked files and folders that the project ignores. Listing them reads no content. */
const listIgnored = async (place: Place): Promise<string[]> => {
  const { stdout } = await runGit({ ...place, args: ['ls-files', '-z', '--others', '--ignored', '--exclude-standard', '--directory'] });
  return splitNul(stdout).map((name) => name.toString('latin1'));
};

const listProvisioned = async (index: string): Promise<string[]> => {
  try {
    return splitNul(await readFile(provisionedFile(index))).map((name) => name.toString('latin1'));
  } catch {
    // Nothing was provisioned.
    return [];
  }
};

const isFolder = async (root: Buffer, path: string): Promise<boolean> => {
  try {
    return (await lstat(Buffer.concat([root, SEPARATOR, Buffer.from(path, 'latin1')]))).isDirectory();
  } catch {
    return false;
  }
};

/** Tracked paths that are no longer there. A submodule's folder is empty here and stays; what a finding names stays as the base has it. */
const findGone = async (walk: Walk, tracked: ReadonlyMap<string, IndexEntry>): Promise<string[]> => {
  const gone: string[] = [];
  for (const [path, { mode }] of tracked) {
    if (walk.files.has(path) || walk.refused.has(path)) continue;
    if ([...walk.refused].some((refused) => path.startsWith(`${refused}/`))) continue;
    if (mode === SUBMODULE && (await isFolder(walk.root, path))) continue;
    gone.push(path);
  }
  return gone;
};

/**
 * Takes all tracked and untracked files of a folder (ignored ones stay out) as a tree of the store. Kinds and sizes are looked at
 * with lstat before anything is read. A `.git` in the folder is never read.
 * @param index the index that the daemon keeps for this workspace, outside it
 */
export const takeSnapshot = async (store: Store, folder: string, index: string): Promise<Snapshot> => {
  const place: Place = { git_dir: store.folder, work_tree: folder, index };
  const [ignored, tracked, provisioned] = await Promise.all([listIgnored(place), listEntries(place), listProvisioned(index)]);
  const walk: Walk = {
    root: Buffer.from(folder),
    left_out: new Set([...ignored, ...provisioned]),
    most: tracked.size + LIMITS.snapshot_files.value,
    files: new Set(),
    refused: new Set(),
    findings: [],
  };
  if (await walkFolder(walk, '')) {
    const gone = await findGone(walk, tracked);
    await takeWithoutUntouched(place, tracked, walk.files, async () => {
      if (gone.length > 0) await runGit({ ...place, args: ['update-index', '-z', '--force-remove', '--stdin'], stdin: asNames(gone) });
      await runGit({ ...place, args: ['update-index', '-z', '--add', '--replace', '--stdin'], stdin: asNames(walk.files) });
    });
  } else {
    walk.findings.push({
      rule: 'too_many_files',
      path: '.',
      message: `The workspace holds more than ${walk.most} files that the project does not ignore`,
    });
  }
  return { tree: await gitText({ ...place, args: ['write-tree'] }), findings: walk.findings };
};
