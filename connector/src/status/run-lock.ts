import { open, readFile, rename, rm } from 'node:fs/promises';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { ensurePrivateFolder } from '@fairlead/shared/kit/atomic-file';
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

const readHolder = async (files: Files): Promise<Holder | undefined> => {
  try {
    return Holder.parse(JSON.parse(await readFile(files.runLock, 'utf8')));
  } catch {
    return undefined;
  }
};

/** The process that runs a connector from this home, if one does. */
export const runningPid = async (files: Files): Promise<number | undefined> => {
  const holder = await readHolder(files);
  return holder && (await isAlive(holder)) ? holder.pid : undefined;
};

/**
 * Makes sure that one connector runs from a home: two would take the session from each other. A lock that a dead process left is taken over.
 * @returns what releases it
 * @throws FairleadError `already_running`
 */
export const takeRunLock = async (files: Files): Promise<() => Promise<void>> => {
  await ensurePrivateFolder(files.home);
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const handle = await open(files.runLock, 'wx', 0o600);
      await handle.writeFile(JSON.stringify({ pid: process.pid, started: await startOf(process.pid) }));
      await handle.close();
      return () => rm(files.runLock, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const pid = await runningPid(files);
    if (pid !== undefined) throw new FairleadError('already_running', { detail: `A connector runs from this home already (process ${pid})` });
    // Moved away under a name of our own first, so that of two that find it stale only one removes it.
    const aside = `${files.runLock}.${randomBytes(4).toString('hex')}`;
    await rename(files.runLock, aside).then(() => rm(aside, { force: true }), () => undefined);
  }
  throw new FairleadError('already_running', { detail: 'Another connector is starting from this home' });
};
