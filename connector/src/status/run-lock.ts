import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { asStorageError, ensurePrivateFolder } from '@fairlead/shared/kit/atomic-file';
import { randomBytes } from '@fairlead/shared/kit/clock';
import * as z from 'zod';
import type { Files } from '../config/files.ts';

const Holder = z.object({ pid: z.number().int().positive(), started: z.string().nullable() });
type Holder = z.infer<typeof Holder>;

/** When a process started, as the system counts it: a pid that was given anew does not have the old one's. null where /proc is missing. */
const startOf = async (pid: number): Promise<string | null> => {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything; the fields that count begin after it. The start time is field 22 of all.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
};

const isAlive = async ({ pid, started }: Holder): Promise<boolean> => {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const now = await startOf(pid);
  return started === null || now === null || now === started;
};

const readHolder = async (file: string): Promise<Holder | undefined> => {
  try {
    return Holder.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return undefined;
  }
};

/** The process that runs a connector from this home, if one does. */
export const runningPid = async (files: Files): Promise<number | undefined> => {
  const holder = await readHolder(files.runLock);
  return holder && (await isAlive(holder)) ? holder.pid : undefined;
};

/** Puts a finished file in the lock's place, unless one is there: a reader never sees a lock without its holder. */
const claim = async (files: Files, beside: string): Promise<boolean> => {
  try {
    await writeFile(beside, JSON.stringify({ pid: process.pid, started: await startOf(process.pid) }), { mode: 0o600, flag: 'wx' });
    await link(beside, files.runLock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw asStorageError(error);
    return false;
  } finally {
    await rm(beside, { force: true });
  }
};

/** Moves a dead process's lock away. Of two that find it, the second may have moved a living one's, and then puts it back. */
const removeStale = async (files: Files, aside: string): Promise<void> => {
  await rename(files.runLock, aside).catch(() => undefined);
  const moved = await readHolder(aside);
  if (moved && (await isAlive(moved))) await link(aside, files.runLock).catch(() => undefined);
  await rm(aside, { force: true });
};

/**
 * Makes sure that one connector runs from a home: two would take the session from each other. A lock that a dead process left is taken over.
 * @returns what releases it
 * @throws FairleadError `already_running`
 */
export const takeRunLock = async (files: Files): Promise<() => Promise<void>> => {
  await ensurePrivateFolder(files.home);
  const mine = `${files.runLock}.${randomBytes(4).toString('hex')}`;
  for (let attempt = 0; attempt < 3; attempt++) {
    if (await claim(files, mine)) return () => rm(files.runLock, { force: true });
    const pid = await runningPid(files);
    if (pid !== undefined)
      throw new FairleadError('already_running', { detail: `A connector runs from this home already (process ${pid})` });
    await removeStale(files, mine);
  }
  throw new FairleadError('already_running', { detail: 'Another connector is starting from this home' });
};
