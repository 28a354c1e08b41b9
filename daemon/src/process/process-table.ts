import { readdirSync, readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { randomBytes, systemClock } from '@fairlead/shared/kit/clock';
import { runProgram } from './run.ts';

/** One process of this machine and this boot: a pid alone may be given to another one later. */
export interface ProcessName {
  readonly pid: number;
  /** Boot and start time. */
  readonly started: string;
}

/** The variable by which a process that we started, and all that it started, can be found again. Its value is a mark. */
export const MARK = 'FAIRLEAD_PROCESS';

/** A mark for one order: whose it is, which is on the disk before the order starts, and which of theirs. */
export const newMark = (owner: string): string => `${ofOwner(owner)}${randomBytes(12).toString('hex')}`;

/** How all marks of an owner begin, and no others. */
const ofOwner = (owner: string): string => `${owner}.`;

const LINUX = process.platform === 'linux';

const readText = async (path: string): Promise<string | undefined> => {
  try {
    return await readFile(path, 'latin1');
  } catch {
    // The process has ended, or is not ours to look at.
    return undefined;
  }
};

interface Stat {
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly start: string;
}

/** The fields after the name in parentheses, which itself may hold anything. */
const parseStat = (text: string): Stat => {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0]!, parent: Number(fields[1]), group: Number(fields[2]), start: fields[19]! };
};

const ENDED = new Set(['Z', 'X', 'x']);

const linuxStat = async (pid: number): Promise<Stat | undefined> => {
  const text = await readText(`/proc/${pid}/stat`);
  return text === undefined ? undefined : parseStat(text);
};

let boot: Promise<string> | undefined;
const bootId = (): Promise<string> => (boot ??= readText('/proc/sys/kernel/random/boot_id').then((id) => (id ?? 'boot').slice(0, 8)));

/** Where there is no /proc, `ps` tells the start time to the second. */
const psToken = async (pid: number): Promise<string | undefined> => {
  const end = await runProgram({
    file: 'ps',
    args: ['-o', 'state=,lstart=', '-p', String(pid)],
    cwd: '/',
    env: { LC_ALL: 'C', TZ: 'UTC' },
  });
  const text = end.stdout.toString('latin1').trim();
  return end.code !== 0 || text === '' || ENDED.has(text[0]!) ? undefined : text.replace(/^\S+\s+/, '').replaceAll(/\s+/g, '_');
};

/** The start-time token of a live process, or undefined when there is none. A zombie has ended. */
export const startTokenOf = async (pid: number): Promise<string | undefined> => {
  if (!LINUX) return psToken(pid);
  const stat = await linuxStat(pid);
  return !stat || ENDED.has(stat.state) ? undefined : `${await bootId()}.${stat.start}`;
};

/** Names a process that we started. */
export const nameProcess = async (pid: number): Promise<ProcessName> => ({ pid, started: (await startTokenOf(pid)) ?? 'ended' });

/** The process that a record names, if it names one. */
export const nameOf = ({
  pid,
  pid_started,
}: {
  readonly pid: number | null;
  readonly pid_started: string | null;
}): ProcessName | undefined => (pid === null || pid_started === null ? undefined : { pid, started: pid_started });

/** Whether exactly that process still runs (a zombie does not). */
export const isAlive = async ({ pid, started }: ProcessName): Promise<boolean> => (await startTokenOf(pid)) === started;

const allPids = async (): Promise<number[]> => (LINUX ? (await readdir('/proc')).map(Number).filter((pid) => pid > 0) : []);

/** Live processes below one process, however deep, whatever session they are in. Linux only; elsewhere none. */
export const descendantsOf = async (root: number): Promise<number[]> => {
  const listed = listedBelow(root);
  if (listed === undefined) return scannedBelow(root);
  return listed.filter((pid) => {
    const text = readNow(`/proc/${pid}/stat`);
    return text !== undefined && !ENDED.has(parseStat(text).state);
  });
};

/** At once: these files lie in no disk, and a stop that waits its turn in a pool of threads for each of them is a slow one. */
const readNow = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // The process has ended, or is not ours to look at.
    return undefined;
  }
};

/** The parent of a process. Linux only; undefined when it has ended. */
export const parentOf = (pid: number): number | undefined => {
  const text = readNow(`/proc/${pid}/stat`);
  return text === undefined ? undefined : parseStat(text).parent;
};

const threadsOf = (pid: number): string[] => {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
};

/** The children that the kernel lists for each thread, and theirs; undefined where it keeps no such list. Far fewer files than all of /proc. */
const listedBelow = (root: number): number[] | undefined => {
  const found: number[] = [];
  const open = [root];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    for (const thread of threadsOf(pid)) {
      const text = readNow(`/proc/${pid}/task/${thread}/children`);
      if (text === undefined && pid === root && readNow(`/proc/${root}/stat`) !== undefined) return undefined;
      const children = (text ?? '')
        .split(' ')
        .map(Number)
        .filter((child) => child > 0);
      found.push(...children);
      open.push(...children);
    }
  }
  return found;
};

const scannedBelow = async (root: number): Promise<number[]> => {
  const children = new Map<number, number[]>();
  for (const pid of await allPids()) {
    const stat = await linuxStat(pid);
    if (!stat || ENDED.has(stat.state)) continue;
    const siblings = children.get(stat.parent);
    if (siblings) siblings.push(pid);
    else children.set(stat.parent, [pid]);
  }
  const found: number[] = [];
  collectBelow(root, children, found);
  return found;
};

const collectBelow = (pid: number, children: ReadonlyMap<number, readonly number[]>, found: number[]): void => {
  for (const child of children.get(pid) ?? []) {
    found.push(child);
    collectBelow(child, children, found);
  }
};

/** Live processes whose mark begins so. */
const marked = async (beginning: string): Promise<number[]> => {
  const found: number[] = [];
  for (const pid of await allPids()) {
    if (pid === process.pid || !(await readText(`/proc/${pid}/environ`))?.includes(`${MARK}=${beginning}`)) continue;
    const stat = await linuxStat(pid);
    if (stat && !ENDED.has(stat.state)) found.push(pid);
  }
  return found;
};

/** What is left of something that we started. Outside Linux only its process group can be looked at. */
export const leftOf = async (pid: number, mark: string): Promise<number[]> => {
  if (LINUX) return marked(mark);
  return signalGroup(pid, 0) ? [pid] : [];
};

export const signalPid = (pid: number, signal: NodeJS.Signals | 0): boolean => {
  try {
    return process.kill(pid, signal);
  } catch {
    // It has ended already, which is what a signal is sent for.
    return false;
  }
};

export const signalGroup = (pid: number, signal: NodeJS.Signals | 0): boolean => signalPid(-pid, signal);

const POLL_MS = 10;

/**
 * Asks again and again until `gone` says so or the time is up; there is no event for the end of a process that is not our child.
 * @param hint settles when it is worth asking at once
 */
export const waitGone = async (gone: () => Promise<boolean>, limitMs: number, hint?: Promise<unknown>): Promise<boolean> => {
  const until = systemClock.monotonic() + limitMs;
  let hints: Promise<unknown>[] = hint ? [hint.then(() => (hints = []))] : [];
  for (;;) {
    if (await gone()) return true;
    if (systemClock.monotonic() >= until) return false;
    await Promise.race([systemClock.sleep(POLL_MS), ...hints]);
  }
};

/**
 * Ends what a daemon that is gone, or gave up, left of an owner: all that carries its mark, also what was started so shortly before the end
 * that nothing of it was written down, and the process that was, with its group and its descendants. Answers whether all are gone.
 */
export const endSurvivors = async (owner: string, name: ProcessName | undefined): Promise<'was_gone' | 'ended' | 'unconfirmed'> => {
  const left = async (): Promise<number[]> => {
    const own = await marked(ofOwner(owner));
    return name && (await isAlive(name)) ? [...new Set([name.pid, ...own, ...(await descendantsOf(name.pid))])] : own;
  };
  if ((await left()).length === 0) return 'was_gone';
  const gone = await waitGone(async () => {
    const pids = await left();
    if (name && pids.includes(name.pid)) signalGroup(name.pid, 'SIGKILL');
    for (const pid of pids) signalPid(pid, 'SIGKILL');
    return pids.length === 0;
  }, LIMITS.stop_confirm.value);
  return gone ? 'ended' : 'unconfirmed';
};
