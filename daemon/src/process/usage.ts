import { readdirSync, readFileSync } from 'node:fs';
import { lstat, opendir, statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { LIMITS } from '@fairlead/shared/contract/limits';
import type { ConfinedLimits } from './confined.ts';

/** What an order used up. */
export type Exceeded = 'processes' | 'memory' | 'disk' | 'output';

/** The limits of an order as numbers. Of memory, three quarters of what this machine has are the most. */
export const limitsOf = ({ processes, memory, disk }: ConfinedLimits = {}): Required<ConfinedLimits> => ({
  processes: processes ?? LIMITS.confined_processes.value,
  memory: memory ?? Math.min(LIMITS.confined_memory.value, Math.floor(totalmem() * 0.75)),
  disk: disk ?? LIMITS.confined_disk.value,
});

const PAGE = 4096;

/** Bytes that are a process's own: what it shares with others, program text above all, would be counted once for each. */
const ownMemory = (statm: string): number => {
  const [, resident = '0', shared = '0'] = statm.split(' ');
  return Math.max(0, Number(resident) - Number(shared)) * PAGE;
};

const textOf = (path: string): string => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // It ended between being listed and being read.
    return '';
  }
};

/** The name of every process in a /proc. */
const pidsIn = (proc: string): string[] => {
  try {
    return readdirSync(proc).filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
};

const inMemoryFiles = async (folders: readonly string[]): Promise<number> => {
  const sizes = folders.map((folder) => statfs(folder).then(({ blocks, bfree, bsize }) => (blocks - bfree) * bsize));
  return (await Promise.allSettled(sizes)).reduce((sum, size) => sum + (size.status === 'fulfilled' ? size.value : 0), 0);
};

/**
 * Looks at the processes of a pid namespace through its own /proc, where there is nothing else to count.
 * @param root how its file system is seen from here @param inMemory folders in it that lie in memory
 */
export const lookAtNamespace = async (
  root: string,
  inMemory: readonly string[],
  limits: Required<ConfinedLimits>,
): Promise<Exceeded | undefined> => {
  const proc = join(root, 'proc');
  const pids = pidsIn(proc);
  if (pids.length > limits.processes) return 'processes';
  let memory = 0;
  for (const pid of pids) memory += ownMemory(textOf(join(proc, pid, 'statm')));
  if (memory > limits.memory) return 'memory';
  return memory + (await inMemoryFiles(inMemory.map((folder) => join(root, folder)))) > limits.memory ? 'memory' : undefined;
};

/** Bytes on disk below a path; stops counting beyond `enough`. Links are not followed, and a file with several names counts once. */
const sizeOf = async (path: string, enough: number, seen = new Set<string>()): Promise<number> => {
  const found = await lstat(path).catch(() => undefined);
  if (!found || (found.nlink > 1 && !found.isDirectory() && seen.has(`${found.dev}:${found.ino}`))) return 0;
  if (!found.isDirectory()) {
    if (found.nlink > 1) seen.add(`${found.dev}:${found.ino}`);
    return found.blocks * 512;
  }
  let size = found.blocks * 512;
  const folder = await opendir(path).catch(() => undefined);
  if (!folder) return size;
  try {
    for await (const entry of folder) {
      size += await sizeOf(join(path, entry.name), enough - size, seen);
      if (size > enough) break;
    }
  } catch {
    // It is being removed while it is read; the next look sees what is left.
  }
  return size;
};

const freeIn = async (path: string): Promise<number> => {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
};

/** A look is worth its walk once this much is gone. */
const WORTH_A_WALK = 16 * 1024 * 1024;

/**
 * Looks at what an order has on disk. Free space is asked for each time; the folders are walked only after so much of it has gone
 * that the limit may have been reached. What is deleted and still open is in no folder: there only the reserve stops it.
 */
export const diskWatch = (places: readonly string[], limit: number): (() => Promise<Exceeded | undefined>) => {
  const watched = places.map(async (place) => {
    const free = await freeIn(place);
    return { place, atFirst: free, atWalk: free, used: 0 };
  });
  for (const one of watched) one.catch(() => undefined);
  const lookAt = async (starting: (typeof watched)[number]): Promise<{ used: number; low: boolean }> => {
    const known = await starting;
    const free = await freeIn(known.place);
    if (known.atWalk - free > Math.max(WORTH_A_WALK, (limit - known.used) / 4)) {
      known.used = await sizeOf(known.place, limit);
      known.atWalk = free;
    }
    return { used: known.used, low: free < LIMITS.disk_reserve.value && known.atFirst >= LIMITS.disk_reserve.value };
  };
  return async () => {
    let used = 0;
    for (const one of watched) {
      // A place that cannot be asked (any more) uses up nothing.
      const found = await lookAt(one).catch(() => undefined);
      if (found?.low) return 'disk';
      used += found?.used ?? 0;
    }
    return used > limit ? 'disk' : undefined;
  };
};
