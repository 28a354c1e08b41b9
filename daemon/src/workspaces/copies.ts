import { copyFile, constants, lstat, mkdir, readdir, readlink, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { linkEscape, meansDotGit } from '../git/link-target.ts';

const refuse = (path: string, rule: string): FairleadError =>
  new FairleadError('project_policy_invalid', { field: 'provision.copy', rule, detail: `provision.copy: ${path} ${rule}` });

const segmentsOf = (path: string): string[] => {
  const parts = path.replace(/\/+$/, '').split('/');
  if (
    path.startsWith('/') ||
    path.includes('\0') ||
    parts.some((part) => part === '' || part === '.' || part === '..' || meansDotGit(part))
  ) {
    throw refuse(path, 'must be a relative path inside the repository and not in .git');
  }
  return parts;
};

const kindOf = async (path: string): Promise<'file' | 'folder' | 'link' | 'other' | 'none'> => {
  const facts = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (!facts) return 'none';
  if (facts.isSymbolicLink()) return 'link';
  if (facts.isDirectory()) return 'folder';
  return facts.isFile() ? 'file' : 'other';
};

/** Goes from a root to the parent of a path, and sees to it that no part of the way is a link. */
const parentOf = async (root: string, path: string, parts: readonly string[], make: boolean): Promise<string> => {
  let folder = root;
  for (const part of parts.slice(0, -1)) {
    folder = join(folder, part);
    const kind = await kindOf(folder);
    if (kind === 'none' && make) await mkdir(folder);
    else if (kind !== 'folder')
      throw refuse(path, kind === 'none' ? 'does not exist in the work tree of the repository' : 'must not lead through a link');
  }
  return folder;
};

const copyEntry = async (from: string, to: string, path: string): Promise<void> => {
  const kind = await kindOf(from);
  if (kind === 'none') throw refuse(path, 'does not exist in the work tree of the repository');
  if (kind === 'other') throw refuse(path, 'is neither a file nor a folder');
  if (kind === 'link') {
    const target = await readlink(from);
    if (linkEscape(path, target)) throw refuse(path, 'is a link that leaves the repository');
    await symlink(target, to);
  } else if (kind === 'file') {
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  } else {
    await mkdir(to);
    for (const name of await readdir(from)) await copyEntry(join(from, name), join(to, name), `${path}/${name}`);
  }
};

/**
 * Copies one declared path of the owner's work tree into a fresh checkout. Real copies only: a link into the owner's folders would
 * let work write there. Nothing that the checkout has is replaced.
 * @throws FairleadError `project_policy_invalid`
 */
export const copyDeclared = async (workTree: string, checkout: string, path: string): Promise<void> => {
  const parts = segmentsOf(path);
  const from = join(await parentOf(workTree, path, parts, false), parts.at(-1)!);
  if ((await kindOf(from)) === 'link') throw refuse(path, 'must not be a link');
  const to = join(await parentOf(checkout, path, parts, true), parts.at(-1)!);
  if ((await kindOf(to)) !== 'none') throw refuse(path, 'is in the checkout already; declare untracked files only');
  await copyEntry(from, to, parts.join('/'));
};
