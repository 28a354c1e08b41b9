import { closeSync, readdirSync, readFileSync } from 'node:fs';

const CLOSE_ON_EXEC = 0o2000000;

/** Whether a descriptor of this process would be open in every program that it starts. */
const isPassedOn = (fd: number): boolean => {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0;
  } catch {
    // The one through which the list was read is gone by now.
    return false;
  }
};

/**
 * Closes what whoever started this process left open, but for the three standard streams. Node keeps only the lowest of it from the
 * programs that it starts, so that a file, a lock or a folder of the machine would be open inside the sandbox. All that Node opens
 * itself is marked, and stays. Only Linux tells the mark; elsewhere nothing is done. Call it before anything else is opened.
 */
export const closeInherited = (): void => {
  if (process.platform !== 'linux') return;
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name);
    if (fd <= 2 || !isPassedOn(fd)) continue;
    try {
      closeSync(fd);
    } catch {
      // Closed already.
    }
  }
};
