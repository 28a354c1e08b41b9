import { chmod, lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Makes every folder below writable again; links are not followed. */
const unlock = async (folder: string): Promise<void> => {
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) if (entry.isDirectory()) await unlock(join(folder, entry.name));
};

/** Removes a folder, also when what worked in it has made parts of it unwritable. Missing is fine. */
export const removeFolder = async (folder: string): Promise<void> => {
  try {
    await rm(folder, { recursive: true, force: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EPERM' && code !== 'ENOTEMPTY') throw error;
    if ((await lstat(folder).catch(() => undefined))?.isDirectory()) await unlock(folder);
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
};
