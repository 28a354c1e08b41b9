import { accessSync, constants, openSync, readSync, closeSync, realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import type { Mount } from '../../process/confined.ts';
import { runProgram } from '../../process/run.ts';

/** An agent's program as it lies on this machine. */
export interface AgentProgram {
  /** What starts it, without the agent's own arguments: the program, or an interpreter and a script. */
  readonly argv: readonly string[];
  /** What must be there for it to start, at the same paths as on the machine, read-only. */
  readonly mounts: readonly Mount[];
  /** Changes when another version is installed. */
  readonly print: string;
}

const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
};

/** A name is looked up in the folders, a path is taken as it is. */
const locate = (program: string, folders: readonly string[]): string | undefined =>
  isAbsolute(program) ? [program].find(isProgram) : folders.map((folder) => join(folder, program)).find(isProgram);

/** The folder of which a program is a part: the outermost `node_modules` that it lies in, else the file alone. */
const rootOf = (path: string): string => {
  let found: string | undefined;
  for (let at = dirname(path); at !== dirname(at); at = dirname(at)) if (at.endsWith('/node_modules')) found = at;
  return found ?? path;
};

/** The system's own folders are in every sandbox. */
const isSystem = (path: string): boolean => /^\/(?:usr|bin|sbin|lib|lib64)\//.test(path);

const firstLine = (path: string): string => {
  const bytes = Buffer.alloc(256);
  const file = openSync(path, 'r');
  try {
    return bytes
      .subarray(0, readSync(file, bytes, 0, bytes.length, 0))
      .toString('latin1')
      .split('\n')[0]!;
  } finally {
    closeSync(file);
  }
};

const mountOf = (path: string): Mount[] => (isSystem(path) ? [] : [{ from: path, to: path }]);

/**
 * Finds a program and all that it needs to start in a sandbox. A Node script is started with the Node on the search path, or with ours.
 * Undefined where there is none.
 */
export const findProgram = (program: string, folders: readonly string[]): AgentProgram | undefined => {
  const found = locate(program, folders);
  if (found === undefined) return undefined;
  const real = realpathSync(found);
  const { mtimeMs, size, ino } = statSync(real);
  const print = `${real}:${ino}:${size}:${mtimeMs}`;
  if (!/^#!.*\bnode\b/.test(firstLine(real))) return { argv: [real], mounts: mountOf(rootOf(real)), print };
  const node = realpathSync(locate('node', folders) ?? process.execPath);
  return { argv: [node, real], mounts: [...mountOf(rootOf(real)), ...mountOf(node)], print };
};

const VERSION_MS = 20_000;

/** What `--version` says, on one line; null when it says nothing usable. Runs the operator's program as any program of the operator's. */
export const programVersion = async ({ argv }: AgentProgram, home: string): Promise<string | null> => {
  const [file = '', ...args] = argv;
  try {
    const end = await runProgram({
      file,
      args: [...args, '--version'],
      cwd: '/',
      env: { HOME: home, NO_COLOR: '1', DISABLE_AUTOUPDATER: '1', OPENCODE_DISABLE_AUTOUPDATE: '1' },
      timeout_ms: VERSION_MS,
      limit: 4096,
    });
    const line = end.stdout.toString('utf8').trim().split('\n')[0] ?? '';
    return end.code === 0 && /\d/.test(line) ? line.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 100) : null;
  } catch {
    // It cannot be started, which `findProgram` and the first attempt tell with more words.
    return null;
  }
};
