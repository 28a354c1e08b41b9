import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const mount = (...args: string[]): void => void execFileSync('mount', args, { stdio: 'ignore' });

/** Takes a trouble away again. */
export type Cure = () => void;

/** Why this machine cannot make its disks fail, or an empty string. */
export const whyNoDisks = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-mount-'));
  try {
    makeReadOnly(folder)();
    return '';
  } catch {
    return ' (skipped: only root may mount)';
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** Makes a folder read-only: what is open stays so, everything that is opened from now on for writing is refused. */
export const makeReadOnly = (folder: string): Cure => {
  mount('--bind', folder, folder);
  mount('-o', 'remount,bind,ro', folder);
  return () => void execFileSync('umount', ['-l', folder]);
};

/** Puts a folder and what is in it on a small file system of its own. Nobody may have files of it open. */
export const putOnSmallDisk = (folder: string, size = '24m'): Cure => {
  const beside = mkdtempSync(join(tmpdir(), 'fairlead-beside-'));
  cpSync(folder, beside, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  mount('-t', 'tmpfs', '-o', `size=${size},mode=0700`, 'tmpfs', folder);
  cpSync(beside, folder, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  rmSync(beside, { recursive: true, force: true });
  return () => void execFileSync('umount', ['-l', folder]);
};

/** Leaves no byte free on the file system of a folder. */
export const fillDisk = (folder: string): Cure => {
  const ballast = join(folder, 'ballast');
  const { bavail, bsize } = statfsSync(folder);
  try {
    writeFileSync(ballast, Buffer.alloc(bavail * bsize));
  } catch {
    // The last block is the one that does not fit.
  }
  return () => rmSync(ballast, { force: true });
};
