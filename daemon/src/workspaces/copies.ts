import { copyFile, constants, lstat, mkdir, readdir, readlink, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { linkEscape, meansDotGit } from '../git/link-target.ts';
import { removeFolder } from './remove-folder.ts';
import { storageError } from './storage-error.ts';

/** Where the policy declares a path; errors name it. */
export type DeclaredIn = 'provision.copy' | 'provision.mount';

/** What copies of one checkout may still take. */
export interface CopyRoom {
  bytes: number;
  entries: number;
}

/** A full room: what `LIMITS` gives one checkout. */
export const copyRoom = (): CopyRoom => ({ bytes: LIMITS.provision_bytes.value, entries: LIMITS.provision_entries.value });

/** A path that the policy declares, with what its copy needs. */
export interface Declared {
  readonly field: DeclaredIn;
  /** The owner's. */
  readonly workTree: string;
  readonly checkout: string;
  readonly path: string;
}

const refuse = (field: DeclaredIn, path: string, rule: string): FairleadError =>
  new FairleadError('project_policy_invalid', { field, rule, detail: `${field}: ${path} ${rule}` });

const segmentsOf = ({ field, path }: Declared): string[] => {
  const parts = path.replace(/\/+$/, '').split('/');
  if (
    path.startsWith('/') ||
    path.includes('\0') ||
    parts.some((part) => part === '' || part === '.' || part === '..' || meansDotGit(part))
  ) {
    throw refuse(field, path, 'must be a relative path inside the repository and not in .git');
  }
  return parts;
};

type Kind = 'file' | 'folder' | 'link' | 'other' | 'none';

const lookAt = async (path: string): Promise<{ readonly kind: Kind; readonly size: number }> => {
  const facts = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (!facts) return { kind: 'none', size: 0 };
  const kind = facts.isSymbolicLink() ? 'link' : facts.isDirectory() ? 'folder' : facts.isFile() ? 'file' : 'other';
  return { kind, size: facts.size };
};

const kindOf = async (path: string): Promise<Kind> => (await lookAt(path)).kind;

/** Goes from a root to the parent of a path, and sees to it that no part of the way is a link. */
const parentOf = async ({ field, path }: Declared, root: string, parts: readonly string[], make: boolean): Promise<string> => {
  let folder = root;
  for (const part of parts.slice(0, -1)) {
    folder = join(folder, part);
    const kind = await kindOf(folder);
    if (kind === 'none' && make) await mkdir(folder);
    else if (kind !== 'folder')
      throw refuse(field, path, kind === 'none' ? 'does not exist in the work tree of the repository' : 'must not lead through a link');
  }
  return folder;
};

interface Ends {
  readonly from: string;
  readonly to: string;
  /** Without a slash at its end. */
  readonly path: string;
}

/** Where a declared path lies in the owner's work tree and where it comes to lie in the checkout, which has nothing there yet. */
const endsOf = async (declared: Declared): Promise<Ends> => {
  const { field, path, workTree, checkout } = declared;
  const parts = segmentsOf(declared);
  const from = join(await parentOf(declared, workTree, parts, false), parts.at(-1)!);
  if ((await kindOf(from)) === 'link') throw refuse(field, path, 'must not be a link');
  const to = join(await parentOf(declared, checkout, parts, true), parts.at(-1)!);
  if ((await kindOf(to)) !== 'none') throw refuse(field, path, 'is in the checkout already; declare untracked files only');
  return { from, to, path: parts.join('/') };
};

const takeRoom = (field: DeclaredIn, path: string, room: CopyRoom, bytes: number): void => {
  room.bytes -= bytes;
  room.entries -= 1;
  if (room.bytes < 0) throw refuse(field, path, `is too large: copies of one checkout may hold ${LIMITS.provision_bytes.value} bytes`);
  if (room.entries < 0)
    throw refuse(field, path, `has too many files: copies of one checkout may hold ${LIMITS.provision_entries.value} files and folders`);
};

/** How many entries of one folder are copied at once. */
const AT_ONCE = 16;

const copyEntry = async (field: DeclaredIn, { from, to, path }: Ends, room: CopyRoom): Promise<void> => {
  const { kind, size } = await lookAt(from);
  if (kind === 'none') throw refuse(field, path, 'does not exist in the work tree of the repository');
  if (kind === 'other') throw refuse(field, path, 'is neither a file nor a folder');
  takeRoom(field, path, room, kind === 'file' ? size : 0);
  if (kind === 'link') {
    const target = await readlink(from);
    if (linkEscape(path, target)) throw refuse(field, path, 'is a link that leaves the repository');
    await symlink(target, to);
  } else if (kind === 'file') {
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  } else {
    await mkdir(to);
    const names = await readdir(from);
    for (let at = 0; at < names.length; at += AT_ONCE) {
      const copies = names
        .slice(at, at + AT_ONCE)
        .map((name) => copyEntry(field, { from: join(from, name), to: join(to, name), path: `${path}/${name}` }, room));
      // All of them have ended before an error is passed on, so that nothing is written any more when the checkout is removed.
      const failed = (await Promise.allSettled(copies)).find((end) => end.status === 'rejected');
      if (failed) throw failed.reason;
    }
  }
};

/**
 * Copies one declared path of the owner's work tree into a fresh checkout. Real copies only, which share blocks where the file system can
 * do that: a link into the owner's folders would let work write there. Nothing that the checkout has is replaced. What a copy that
 * failed has left is removed.
 * @throws FairleadError `project_policy_invalid`, `disk_full`
 */
export const copyDeclared = async (declared: Declared, room: CopyRoom): Promise<void> => {
  const ends = await endsOf(declared);
  try {
    await copyEntry(declared.field, ends, room);
  } catch (cause) {
    await removeFolder(ends.to);
    throw storageError(cause);
  }
};

/**
 * Sees to it that a mount point is still a folder in the checkout, and that no part of the way is a link: what ran there may have moved a
 * folder above it and put a link in its place, and what mounts follows links.
 * @throws FairleadError `requirement_missing`
 */
export const checkMountPoint = async (checkout: string, path: string): Promise<void> => {
  let folder = checkout;
  for (const part of path.split('/')) {
    folder = join(folder, part);
    if ((await kindOf(folder)) === 'folder') continue;
    throw new FairleadError('requirement_missing', {
      detail: `The post-create hook replaced a folder in which provision.mount mounts ${path}`,
      hint: 'Correct provision.post_create: it must leave the folders alone that lead to a mount.',
    });
  }
};

/**
 * Makes the place in a fresh checkout at which a declared folder of the owner's work tree is to be mounted; answers that folder.
 * @throws FairleadError `project_policy_invalid`
 */
export const mountPoint = async (declared: Declared): Promise<{ readonly from: string; readonly path: string }> => {
  const { from, to, path } = await endsOf(declared);
  const kind = await kindOf(from);
  if (kind === 'none') throw refuse(declared.field, path, 'does not exist in the work tree of the repository');
  if (kind !== 'folder') throw refuse(declared.field, path, 'is not a folder');
  await mkdir(to);
  return { from, path };
};
