import { access, mkdir, readdir, readFile, rmdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { randomBytes, systemClock } from '@fairlead/shared/kit/clock';
import type { ConfinedLimits } from './confined.ts';

/** A group in which the kernel itself holds an order to its limits, between two looks as well. */
export interface ControlGroup {
  /** Whoever writes its pid into this file joins, with all that it starts. */
  readonly members: string;
  /** Whether the kernel ended something in it for want of memory. */
  outOfMemory(): Promise<boolean>;
  /** Once nothing is in it any more. */
  remove(): Promise<void>;
}

export interface ControlGroups {
  make(limits: Required<ConfinedLimits>): Promise<ControlGroup>;
}

const PREFIX = 'fairlead-';
/** Groups count threads, and orders are limited by processes. */
const THREADS = 8;
/** An empty group of this age was left by a daemon that crashed. */
const STALE_MS = 60_000;

/** How often the kernel ended something, out of the text of `memory.events`. */
export const oomKillsIn = (events: string): number => Number(/^oom_kill (\d+)$/m.exec(events)?.[1] ?? 0);

const makeIn = async (parent: string, limits: Required<ConfinedLimits>): Promise<ControlGroup> => {
  const folder = join(parent, `${PREFIX}${randomBytes(8).toString('hex')}`);
  const remove = (): Promise<void> => rmdir(folder).catch(() => undefined);
  await mkdir(folder);
  try {
    // Opened, not made: a group without these files has no controllers, and writing would say so only by chance.
    await writeFile(join(folder, 'memory.max'), String(limits.memory), { flag: 'r+' });
    await writeFile(join(folder, 'memory.oom.group'), '1', { flag: 'r+' });
    await writeFile(join(folder, 'pids.max'), String(limits.processes * THREADS), { flag: 'r+' });
    const members = join(folder, 'cgroup.procs');
    await access(members);
    return {
      members,
      outOfMemory: async () => oomKillsIn(await readFile(join(folder, 'memory.events'), 'latin1').catch(() => '')) > 0,
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
};

const removeStale = async (parent: string): Promise<void> => {
  for (const name of (await readdir(parent)).filter((one) => one.startsWith(PREFIX))) {
    const found = await stat(join(parent, name)).catch(() => undefined);
    // A group that is in use cannot be removed.
    if (found && systemClock.now() - found.mtimeMs > STALE_MS) await rmdir(join(parent, name)).catch(() => undefined);
  }
};

/** The folder of groups beside the daemon's own; a group that has members cannot have groups below it with controllers. */
const besideOwn = async (): Promise<string | undefined> => {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  const mount = mounts
    .split('\n')
    .map((line) => line.split(' '))
    .find((fields) => fields[fields.indexOf('-') + 1] === 'cgroup2')?.[4];
  const own = /^0::(\/.*)$/m.exec(await readFile('/proc/self/cgroup', 'utf8'))?.[1];
  if (mount === undefined || own === undefined) return undefined;
  return own === '/' ? mount : dirname(join(mount, own));
};

/** Groups of the second version that this machine lends us with both controllers, found out by making one; undefined when it does not. */
export const findControlGroups = async (limits: Required<ConfinedLimits>): Promise<ControlGroups | undefined> => {
  try {
    const parent = await besideOwn();
    if (parent === undefined) return undefined;
    await (await makeIn(parent, limits)).remove();
    await removeStale(parent);
    return { make: (own) => makeIn(parent, own) };
  } catch {
    return undefined;
  }
};
