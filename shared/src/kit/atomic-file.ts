import { chmod, mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { FairleadError } from '../contract/errors.ts';
import { randomBytes } from './clock.ts';

const FULL = new Set(['SQLITE_FULL', 'ENOSPC', 'EDQUOT']);
const UNWRITABLE = new Set(['EROFS', 'EACCES', 'EPERM', 'EIO']);

/** A full disk and a store that cannot be written get their own codes; any other error comes back as it is. */
export const asStorageError = (error: unknown): Error => {
  const cause = error instanceof Error ? error : new Error(String(error));
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  if (FULL.has(code)) return new FairleadError('disk_full', { cause });
  if (UNWRITABLE.has(code) || /^SQLITE_(READONLY|CANTOPEN|IOERR|PERM)/.test(code))
    return new FairleadError('store_unwritable', { detail: `The state cannot be written (${code}).`, cause });
  return cause;
};

/**
 * Replaces a file so that a reader, and the next start after a crash, sees the old content or the new, never a part.
 * @param mode permissions of the new file; readable by its owner alone unless said otherwise
 * @throws FairleadError `disk_full`, `store_unwritable`
 */
export const writeFileAtomic = async (file: string, data: string | Uint8Array, mode = 0o600): Promise<void> => {
  const folder = path.dirname(file);
  const beside = path.join(folder, `.${path.basename(file)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    const handle = await open(beside, 'wx', mode);
    try {
      await handle.writeFile(data);
      await handle.chmod(mode);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(beside, file);
  } catch (error) {
    // Where nothing can be written nothing can be removed either; why it failed is what must be told.
    await rm(beside, { force: true }).catch(() => undefined);
    throw asStorageError(error);
  }
  await syncFolder(folder);
};

/** A rename is only durable once its folder is on the disk. */
const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};

/** Makes a folder, with its parents, that only its owner can enter. One that exists is closed to others. @throws FairleadError `disk_full`, `store_unwritable` */
export const ensurePrivateFolder = async (folder: string): Promise<void> => {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
  } catch (error) {
    // On a file system that is read-only Node answers so: with the parents made, too, there is no other way to miss one.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new FairleadError('store_unwritable', { cause: error });
    throw asStorageError(error);
  }
};
