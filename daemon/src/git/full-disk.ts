import { statfs } from 'node:fs/promises';
import { FairleadError } from '@fairlead/shared/contract/errors';

/** With less than this a disk counts as full. In bytes. */
const LEAST = 1024 * 1024;

const isFull = async (folder: string): Promise<boolean> => {
  const { bavail, bsize, files, ffree } = await statfs(folder);
  return bavail * bsize < LEAST || (files > 0 && ffree === 0);
};

/**
 * Runs git that writes into a folder. It does not say why it could not write a file, so that a full disk has to be looked for.
 * @throws FairleadError `disk_full`; else what `work` throws
 */
export const withRoomIn = async <T>(folder: string, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    const unexplained = error instanceof FairleadError && error.code === 'internal';
    if (unexplained && (await isFull(folder))) throw new FairleadError('disk_full', { cause: error });
    throw error;
  }
};
