import { cp, lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';

/**
 * Agents' own files: what each attempt's agent keeps of its session. Every attempt has a folder to itself, also one that goes on with the
 * session of another: it gets a copy, so that two agents never work on one session, not even when the first turns out to be alive.
 */
export interface AgentHomes {
  /**
   * Makes the home of an attempt, empty or with what an earlier one left.
   * @throws FairleadError `session_unavailable` when that is gone or larger than `LIMITS.session_files`
   */
  create(attemptId: string, from: string | null): Promise<string>;
  /** The home of an attempt, if it is still there. */
  has(attemptId: string): Promise<boolean>;
  release(attemptId: string): Promise<void>;
  /** Removes every home that is not to be kept, as after a crash. */
  sweep(keep: (attemptId: string) => boolean): Promise<void>;
}

/** Bytes below a folder; links count nothing and are not followed. */
const sizeOf = async (folder: string): Promise<number> => {
  let size = 0;
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) size += await sizeOf(path);
    else if (entry.isFile()) size += (await lstat(path)).size;
  }
  return size;
};

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  );

/** Plain files and folders only: a link that an agent left would lead its successor elsewhere. */
const isPlain = async (path: string): Promise<boolean> => {
  const facts = await lstat(path);
  return facts.isFile() || facts.isDirectory();
};

/** @param root folder of all homes */
export const createAgentHomes = (root: string): AgentHomes => {
  const of = (attemptId: string): string => join(root, attemptId);
  return {
    async create(attemptId, from) {
      const home = of(attemptId);
      await rm(home, { recursive: true, force: true });
      await mkdir(home, { recursive: true, mode: 0o700 });
      if (from === null) return home;
      const earlier = of(from);
      if (!(await isThere(earlier)))
        throw new FairleadError('session_unavailable', { detail: 'The files of the earlier session are gone' });
      if ((await sizeOf(earlier)) > LIMITS.session_files.value)
        throw new FairleadError('session_unavailable', { detail: 'The files of the earlier session are larger than the limit' });
      await cp(earlier, home, { recursive: true, filter: isPlain, preserveTimestamps: true });
      return home;
    },
    has: (attemptId) => isThere(of(attemptId)),
    release: (attemptId) => rm(of(attemptId), { recursive: true, force: true }),
    async sweep(keep) {
      for (const name of await readdir(root).catch(() => [])) if (!keep(name)) await rm(of(name), { recursive: true, force: true });
    },
  };
};
