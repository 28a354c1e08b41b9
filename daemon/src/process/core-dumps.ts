import { runProgram } from './run.ts';

/**
 * Keeps this process, and all that it starts, from leaving its memory behind when it crashes. One byte, not none: the kernel hands the
 * memory to a program of the host for every other limit where `core_pattern` names one, and a size of one is what it reads as never.
 * Only Linux knows this; elsewhere, and without util-linux, nothing is done.
 */
export const forbidCoreDumps = async (): Promise<void> => {
  if (process.platform !== 'linux') return;
  await runProgram({ file: 'prlimit', args: ['--pid', String(process.pid), '--core=1:1'], cwd: '/', env: {} }).catch(() => undefined);
};
