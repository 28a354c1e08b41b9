import { GitConstructError, GitError, GitPluginError, simpleGit, type SimpleGit, type SimpleGitOptions } from 'simple-git';
import { DEFAULT_LIMIT, DEFAULT_TIME, notStarted, searchPath, type ProgramEnd } from '../process/run.ts';
import { gitFailure, gitWords, surroundings, type GitOrder } from './git.ts';

/** Where a question is asked, in the words of the runner. */
export type GitPlace = Pick<GitOrder, 'git_dir' | 'search' | 'work_tree' | 'config' | 'accept'>;

export interface Reading<T> {
  readonly answer: T;
  readonly code: number;
  /** What git said beside its answer, fit to travel. */
  readonly words: string;
}

/**
 * simple-git refuses an environment that could make git run programs or read other settings. Ours does the opposite, by the same
 * names: each of these is needed because `surroundings` sets it, to nothing or to what does nothing. All others stay refused.
 */
const ALLOWED: NonNullable<SimpleGitOptions['unsafe']> = {
  allowUnsafeConfigEnvCount: true,
  allowUnsafeConfigPaths: true,
  allowUnsafeAskPass: true,
  allowUnsafeCredentialHelper: true,
  allowUnsafeDiffExternal: true,
  allowUnsafeEditor: true,
  allowUnsafeFilter: true,
  allowUnsafeFsMonitor: true,
  allowUnsafeGpgProgram: true,
  allowUnsafeHooksPath: true,
  allowUnsafePager: true,
  allowUnsafeProtocolOverride: true,
  allowUnsafeSshCommand: true,
};

type Ending = { -readonly [key in 'code' | 'stderr' | 'cut']: ProgramEnd[key] };

const openGit = (place: GitPlace, end: Ending): SimpleGit => {
  const { cwd, env } = surroundings(place);
  const stop = new AbortController();
  let size = 0;
  return simpleGit({
    baseDir: cwd,
    unsafe: ALLOWED,
    // Nothing is inherited: the names are those that `surroundings` made.
    allowEnvironment: Object.keys(env),
    // After the exit there may be output left in the pipe.
    completion: { onClose: true, onExit: false },
    // In ms without any output.
    timeout: { block: DEFAULT_TIME },
    abort: stop.signal,
    errors(error, { exitCode, stdErr }) {
      end.code = exitCode;
      end.stderr = Buffer.concat(stdErr).toString('utf8');
      if (error instanceof GitPluginError) end.cut = error.plugin === 'abort' ? 'size' : 'time';
      return end.cut === undefined && (place.accept ?? [0]).includes(exitCode) ? undefined : (error ?? new Error('git failed'));
    },
  })
    .env({ ...env, PATH: searchPath() })
    .outputHandler((_command, stdout) => {
      stdout.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > DEFAULT_LIMIT) stop.abort();
      });
    });
};

/**
 * Asks git something whose answer is plain text, through simple-git. What writes, counts by the byte or belongs to the hot path of
 * a step goes through `runGit` (docs/decisions/0006-git-runner-and-simple-git.md).
 * @throws FairleadError as `runGit` does
 */
export const readGit = async <T>(place: GitPlace, ask: (git: SimpleGit) => PromiseLike<T>): Promise<Reading<T>> => {
  const end: Ending = { code: null, stderr: '', cut: undefined };
  try {
    const answer = await ask(openGit(place, end));
    return { answer, code: end.code ?? 0, words: gitWords(end.stderr) };
  } catch (cause) {
    // A negative code is the error number of a start that failed.
    if (cause instanceof GitConstructError || (end.code ?? 0) < 0) throw notStarted('git', cause);
    // Refused before it ran, or an answer that cannot be understood: a fault of ours, not of git.
    const ours = cause instanceof GitPluginError || end.code === 0;
    if (ours && end.cut === undefined) throw cause;
    throw gitFailure(cause instanceof GitError ? cause.task?.commands[0] : undefined, { ...end, signal: 'a signal' });
  }
};

/** The text that one git prints, without its last line end. */
export const readText = async (place: GitPlace, ...args: string[]): Promise<string> =>
  (await readGit(place, (git) => git.raw(args))).answer.replace(/\n$/, '');
