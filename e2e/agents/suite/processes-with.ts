import { readdirSync, readFileSync } from 'node:fs';

/** A process of this machine, in whichever namespace it is. */
export interface SeenProcess {
  readonly pid: number;
  readonly argv: readonly string[];
  /** Its environment as it was started with; empty where it cannot be read. */
  readonly env: readonly string[];
}

const partsOf = (path: string): string[] => {
  try {
    return readFileSync(path, 'utf8').split('\0').filter(Boolean);
  } catch {
    // It ended meanwhile, or belongs to somebody else.
    return [];
  }
};

/** Every process that can be seen, sandboxed ones too. */
const allProcesses = (): SeenProcess[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), argv: partsOf(`/proc/${name}/cmdline`), env: partsOf(`/proc/${name}/environ`) }));

/** Processes with a text as one of their arguments, whole. */
export const withArgument = (text: string): SeenProcess[] => allProcesses().filter(({ argv }) => argv.includes(text));

/** Processes that were started with a variable of this value. */
export const withVariable = (name: string, value: string): SeenProcess[] =>
  allProcesses().filter(({ env }) => env.includes(`${name}=${value}`));
