import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { gitText, pipeGit, runGit } from './git.ts';
import { dropLeftIndexes } from './index-file.ts';
import { readText } from './reader.ts';
import { readTips, type ObjectFormat, type Repository } from './repository.ts';

/**
 * The daemon's own bare repository of an instance. It holds the objects of the owner's listed branches and all snapshots,
 * shares nothing with the user's repository, and its attributes and config are ours alone.
 */
export interface Store {
  readonly folder: string;
  readonly object_format: ObjectFormat;
  /** Tips known to be whole in the store, kept in memory. Only this module writes it. */
  readonly known: Set<string>;
}

/** Where the store keeps the tips of the owner's branches, so that their objects stay. Named by digest: branches come and go as `a` and `a/b`. */
export const SOURCE = 'refs/fairlead/source/';
/** Where snapshots are kept: `refs/fairlead/attempts/<attempt id>`. */
export const ATTEMPTS = 'refs/fairlead/attempts/';

/**
 * The only attributes that count. No filter runs, no encoding or identity is rewritten, no merge driver is used, and every
 * difference is shown as text, so that an attributes file in the tree can hide nothing. Line endings stay the project's.
 */
const ATTRIBUTES = '* -filter diff !merge -ident -working-tree-encoding\n';

const sourceRef = (ref: string): string => `${SOURCE}${createHash('sha256').update(ref).digest('hex').slice(0, 32)}`;

const storageError = (cause: unknown): unknown => {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') return new FairleadError('disk_full', { cause });
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return new FairleadError('store_unwritable', { cause });
  return cause;
};

/**
 * Makes a store at `folder` (which must not exist) with the objects of `refs`. Every object is hashed anew on its way.
 * @throws FairleadError `repository_invalid`, `disk_full`, `store_unwritable`
 */
export const createStore = async (folder: string, repository: Repository, refs: readonly string[]): Promise<Store> => {
  // Made beside and renamed, so that a store that exists is a whole one.
  const making = `${folder}.new`;
  try {
    await rm(making, { recursive: true, force: true });
    await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
    await mkdir(making, { mode: 0o700 });
    await runGit({ git_dir: making, args: ['init', '-q', '--bare', '--template=', `--object-format=${repository.object_format}`] });
    await mkdir(join(making, 'info'), { recursive: true });
    await writeFile(join(making, 'info', 'attributes'), ATTRIBUTES);
    await syncStore({ folder: making, object_format: repository.object_format, known: new Set() }, repository, refs);
    await rename(making, folder);
    return await openStore(folder);
  } catch (cause) {
    await rm(making, { recursive: true, force: true });
    throw storageError(cause);
  }
};

/** Opens a store that `createStore` made. @throws FairleadError `store_unwritable` when it is not there or not whole */
export const openStore = async (folder: string): Promise<Store> => {
  try {
    const [format, tips] = await Promise.all([
      readText({ git_dir: folder }, 'rev-parse', '--show-object-format'),
      readText({ git_dir: folder }, 'for-each-ref', '--format=%(objectname)', SOURCE),
      // A store from a backup or an earlier release gets today's attributes.
      writeFile(join(folder, 'info', 'attributes'), ATTRIBUTES),
    ]);
    const store: Store = {
      folder,
      object_format: format === 'sha256' ? 'sha256' : 'sha1',
      known: new Set(tips.split('\n').filter(Boolean)),
    };
    await dropLeftIndexes(store);
    return store;
  } catch (cause) {
    throw new FairleadError('store_unwritable', { detail: 'The store of the instance cannot be opened', cause });
  }
};

/** Which of some objects a repository has. */
const present = async (git_dir: string, ids: readonly string[]): Promise<string[]> => {
  if (ids.length === 0) return [];
  const text = await gitText({ git_dir, args: ['cat-file', '--batch-check=%(objectname) %(objecttype)'], stdin: `${ids.join('\n')}\n` });
  return text
    .split('\n')
    .filter((line) => line.endsWith(' commit'))
    .map((line) => line.split(' ')[0]!);
};

const linesOf = async (file: string): Promise<string[]> => {
  try {
    return (await readFile(file, 'utf8')).split('\n').filter(Boolean);
  } catch {
    return [];
  }
};

/** A shallow repository ends at some commits; the store has to know them, or it would look for their parents. */
const shareShallow = async (store: Store, repository: Repository): Promise<void> => {
  const theirs = await linesOf(join(repository.common_dir, 'shallow'));
  if (theirs.length === 0) return;
  const file = join(store.folder, 'shallow');
  const all = new Set([...(await linesOf(file)), ...theirs]);
  await writeFile(`${file}.new`, `${[...all].join('\n')}\n`);
  await rename(`${file}.new`, file);
};

const PACK = ['pack-objects', '--revs', '--stdout', '--thin', '--delta-base-offset', '-q'];
const INDEX_PACK = ['index-pack', '--stdin', '--fix-thin'];

const copyObjects = async (store: Store, repository: Repository, tips: ReadonlyMap<string, string>): Promise<void> => {
  const wanted = [...new Set(tips.values())].filter((tip) => !store.known.has(tip));
  if (wanted.length === 0) return;
  await shareShallow(store, repository);
  const shared = await present(repository.git_dir, [...store.known]);
  const stdin = [...wanted, ...shared.map((id) => `^${id}`), ''].join('\n');
  await pipeGit({ git_dir: repository.git_dir, args: PACK, stdin }, { git_dir: store.folder, args: INDEX_PACK });
  // index-pack names objects by their content: one that was altered under its name is now missing, and this finds it.
  await runGit({
    git_dir: store.folder,
    args: ['rev-list', '--objects', '--quiet', '--stdin'],
    stdin: [...wanted, ...shared.map((id) => `^${id}`), ''].join('\n'),
  });
  const updates = [...tips].filter(([, tip]) => wanted.includes(tip)).map(([ref, tip]) => `update ${sourceRef(ref)} ${tip}\n`);
  await runGit({ git_dir: store.folder, args: ['update-ref', '--stdin'], stdin: updates.join('') });
  for (const tip of wanted) store.known.add(tip);
};

/** Copies into one store follow each other; the second mostly finds nothing left to do. */
const copying = new WeakMap<Store, Promise<unknown>>();

/**
 * Brings the present tips of `refs` into the store and answers them. One git process when the store has them already.
 * A ref that does not exist is absent from the answer.
 * @throws FairleadError `repository_invalid`, `disk_full`, `store_unwritable`
 */
export const syncStore = async (store: Store, repository: Repository, refs: readonly string[]): Promise<ReadonlyMap<string, string>> => {
  const tips = await readTips(repository, refs);
  if ([...tips.values()].every((tip) => store.known.has(tip))) return tips;
  const before = copying.get(store) ?? Promise.resolve();
  const mine = before.then(() => copyObjects(store, repository, tips));
  copying.set(
    store,
    mine.catch(() => undefined),
  );
  try {
    await mine;
  } catch (cause) {
    if (cause instanceof FairleadError && cause.code !== 'internal') throw cause;
    throw new FairleadError('repository_invalid', {
      detail: `The objects of the repository cannot be copied: ${(cause as Error).message}`,
      cause,
    });
  }
  return tips;
};

/** Removes a store and everything in it. */
export const removeStore = async (folder: string): Promise<void> => {
  await rm(folder, { recursive: true, force: true });
  await rm(`${folder}.new`, { recursive: true, force: true });
};
