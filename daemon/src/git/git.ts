import { ERRORS } from '@fairlead/shared/contract/error-table';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { pipePrograms, runProgram, type ProgramEnd, type ProgramOrder } from '../process/run.ts';

/**
 * How Fairlead runs git: here for whatever counts by the byte or writes, in `reader` for questions with an answer in plain text,
 * with one environment for both. A repository may hold configuration, attributes and hooks that run programs as its
 * owner, so every call carries settings that switch all of them off, and names its folders instead of searching for them.
 */
export interface GitOrder {
  /** Absolute; becomes `GIT_DIR`. */
  readonly git_dir: string;
  /** Instead: let git find the repository of the folder `git_dir`. Only for looking at what an owner names. */
  readonly search?: true;
  readonly args: readonly string[];
  /** Absolute; becomes `GIT_WORK_TREE` and the working directory. Without it there is no work tree. */
  readonly work_tree?: string;
  /** Absolute; becomes `GIT_INDEX_FILE`. */
  readonly index?: string;
  readonly stdin?: ProgramOrder['stdin'];
  readonly output?: ProgramOrder['output'];
  readonly limit?: number;
  /** Further settings, such as the owner's line endings when their work tree is brought along. */
  readonly config?: readonly (readonly [key: string, value: string])[];
  /** Identity and dates of a commit. Nothing else belongs here. */
  readonly identity?: Readonly<Record<string, string>>;
  /** Exit codes that are answers. Default: 0 alone. */
  readonly accept?: readonly number[];
}

/** What each setting stops is in the threat table: programs that git would run, and places that it would read or call. */
const SETTINGS: readonly (readonly [string, string])[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.untrackedCache', 'false'],
  ['core.attributesFile', '/dev/null'],
  ['core.excludesFile', '/dev/null'],
  ['core.pager', 'cat'],
  ['core.editor', 'false'],
  ['core.askPass', 'false'],
  ['core.sshCommand', 'false'],
  ['core.alternateRefsCommand', 'false'],
  ['core.protectHFS', 'true'],
  ['core.protectNTFS', 'true'],
  ['core.quotePath', 'false'],
  ['core.commentChar', '#'],
  ['credential.helper', ''],
  ['protocol.allow', 'never'],
  ['commit.gpgSign', 'false'],
  ['tag.gpgSign', 'false'],
  ['gpg.program', 'false'],
  ['diff.external', ''],
  ['diff.renames', 'false'],
  ['diff.submodule', 'short'],
  ['diff.ignoreSubmodules', 'none'],
  ['merge.renames', 'false'],
  ['merge.directoryRenames', 'false'],
  ['submodule.recurse', 'false'],
  ['fetch.recurseSubmodules', 'false'],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  ['safe.directory', '*'],
  ['advice.detachedHead', 'false'],
  ['apply.whitespace', 'nowarn'],
  ['i18n.commitEncoding', 'UTF-8'],
];

const ENVIRONMENT: Readonly<Record<string, string>> = {
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_NO_REPLACE_OBJECTS: '1',
  GIT_NO_LAZY_FETCH: '1',
  GIT_GRAFT_FILE: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_LITERAL_PATHSPECS: '1',
  GIT_ALLOW_PROTOCOL: '',
  GIT_EDITOR: 'false',
  HOME: '/nonexistent',
  LC_ALL: 'C',
  LANG: 'C',
  TZ: 'UTC',
};

/** Settings travel in the environment, because the command line is readable for everyone and limited. */
const settingsEnvironment = (more: GitOrder['config']): Record<string, string> => {
  const all = more ? [...SETTINGS, ...more] : SETTINGS;
  const env: Record<string, string> = { GIT_CONFIG_COUNT: String(all.length) };
  for (const [at, [key, value]] of all.entries()) {
    env[`GIT_CONFIG_KEY_${at}`] = key;
    env[`GIT_CONFIG_VALUE_${at}`] = value;
  }
  return env;
};

const FIXED = { ...ENVIRONMENT, ...settingsEnvironment(undefined) };

/** Where a git runs, and everything that it finds in its environment but PATH. */
export const surroundings = (order: Omit<GitOrder, 'args'>): Pick<ProgramOrder, 'cwd' | 'env'> => ({
  cwd: order.work_tree ?? order.git_dir,
  env: {
    ...FIXED,
    ...(order.config && settingsEnvironment(order.config)),
    ...order.identity,
    ...(!order.search && { GIT_DIR: order.git_dir }),
    ...(order.work_tree !== undefined && { GIT_WORK_TREE: order.work_tree }),
    ...(order.index !== undefined && { GIT_INDEX_FILE: order.index }),
  },
});

const programOf = (order: GitOrder): ProgramOrder => ({
  file: 'git',
  args: order.args,
  ...surroundings(order),
  ...(order.stdin !== undefined && { stdin: order.stdin }),
  ...(order.output !== undefined && { output: order.output }),
  ...(order.limit !== undefined && { limit: order.limit }),
});

/** Git's own words without its prefixes and without paths of this machine, fit to travel. */
export const gitWords = (stderr: string): string =>
  stderr
    .split('\n')
    .map((line) => line.replace(/^(fatal|error|warning): /, '').trim())
    .filter((line) => line !== '' && !line.startsWith('hint:'))
    .join('; ')
    .replaceAll(/(^|[\s'"(=])\/[^\s'")]+/g, '$1<path>')
    .slice(0, 2000);

const DISK_FULL = /no space left on device|disk quota exceeded|out of diskspace/i;
const CLOSED_PIPE = /broken pipe|connection reset/i;
const UNWRITABLE = /permission denied|read-only file system|operation not permitted|unable to create temporary/i;

/** The error for a git that failed. What fills up or forbids writing has codes of its own; the rest is for the log. */
export const gitFailure = (command: string | undefined, end: Omit<ProgramEnd, 'stdout'>): FairleadError => {
  const words = gitWords(end.stderr);
  if (DISK_FULL.test(end.stderr)) return new FairleadError('disk_full', { detail: ERRORS.disk_full.title });
  if (UNWRITABLE.test(end.stderr)) return new FairleadError('store_unwritable', { detail: `git ${command}: ${words}` });
  const how = end.cut ? `was ended (${end.cut} limit)` : `exited with ${end.code ?? end.signal}`;
  return new FairleadError('internal', { detail: `git ${command} ${how}: ${words}` });
};

/**
 * Runs git once.
 * @throws FairleadError `disk_full`, `store_unwritable`, `requirement_missing` (no git); `internal` for a code that is not accepted
 */
export const runGit = async (order: GitOrder): Promise<ProgramEnd> => {
  const end = await runProgram(programOf(order));
  if (end.cut || end.code === null || !(order.accept ?? [0]).includes(end.code)) throw gitFailure(order.args[0], end);
  return end;
};

/** The output of a git that must succeed, as text without its last line end. */
export const gitText = async (order: GitOrder): Promise<string> => (await runGit(order)).stdout.toString('utf8').replace(/\n$/, '');

/** Runs `from | to`, both git. @throws as `runGit`, for whichever failed first in the order of the pipe */
export const pipeGit = async (from: GitOrder, to: GitOrder): Promise<ProgramEnd> => {
  const ends = await pipePrograms(programOf(from), programOf(to));
  // When the receiver fails, the sender dies of a closed pipe: the receiver's words are the cause.
  if (ends.to.code !== 0 && DISK_FULL.test(ends.to.stderr)) throw gitFailure(to.args[0], ends.to);
  const closed = ends.from.signal === 'SIGPIPE' || (ends.to.code !== 0 && CLOSED_PIPE.test(ends.from.stderr));
  if (ends.from.code !== 0 && !closed) throw gitFailure(from.args[0], ends.from);
  if (ends.to.code !== 0) throw gitFailure(to.args[0], ends.to);
  return ends.to;
};
