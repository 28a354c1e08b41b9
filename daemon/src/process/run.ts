import type { Readable } from 'node:stream';
import { execa } from 'execa';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { pathFolders } from '../config/environment.ts';

/** A program of the machine's operator that the daemon runs itself, such as git. What executes bytes of a workspace goes through `confined`. */
export interface ProgramOrder {
  /** Looked up on the daemon's PATH. */
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** The whole environment but PATH; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly stdin?: string | Uint8Array | Readable;
  /** Receives standard output instead of the answer; a slow receiver slows the program down. */
  readonly output?: (chunk: Buffer) => void | Promise<void>;
  /** Bytes of standard output kept in the answer; more ends the program. Default 64 MiB. */
  readonly limit?: number;
  /** In ms; then it is killed. Default 10 minutes. */
  readonly timeout_ms?: number;
}

export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: Buffer;
  /** At most the first 64 KiB. */
  readonly stderr: string;
  /** Ended by us: the time limit, or more output than the limit. */
  readonly cut: 'time' | 'size' | undefined;
}

const STDERR_KEPT = 64 * 1024;
export const DEFAULT_LIMIT = 64 * 1024 * 1024;
export const DEFAULT_TIME = 600_000;

export const searchPath = (): string => pathFolders().join(':') || '/usr/local/bin:/usr/bin:/bin';

/** The error for a program that is not there. */
export const notStarted = (file: string, cause: unknown): FairleadError =>
  new FairleadError('requirement_missing', {
    detail: `${file} could not be started`,
    hint: `Install ${file} and put it on the PATH of the daemon.`,
    cause,
  });

const keepHead = (stream: Readable): (() => string) => {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    if (size < STDERR_KEPT) chunks.push(chunk.subarray(0, STDERR_KEPT - size));
    size += chunk.length;
  });
  return () => Buffer.concat(chunks).toString('utf8');
};

const passOn = async (stream: Readable, output: NonNullable<ProgramOrder['output']>): Promise<void> => {
  for await (const chunk of stream) await output(chunk as Buffer);
};

const start = (order: ProgramOrder, role: 'alone' | 'source') => {
  const child = execa(order.file, order.args, {
    cwd: order.cwd,
    env: { ...order.env, PATH: searchPath() },
    extendEnv: false,
    stdin: order.stdin === undefined ? 'ignore' : 'pipe',
    ...(order.stdin !== undefined && { input: order.stdin }),
    encoding: 'buffer',
    stripFinalNewline: false,
    buffer: { stdout: role !== 'source' && !order.output, stderr: false },
    maxBuffer: order.limit ?? DEFAULT_LIMIT,
    timeout: order.timeout_ms ?? DEFAULT_TIME,
    killSignal: 'SIGKILL',
    forceKillAfterDelay: false,
    // A git in the middle of writing ends by itself: killed with the daemon, it would leave its locks in the user's repository.
    cleanup: false,
    reject: false,
  });
  const stderr = keepHead(child.stderr);
  const reading = role !== 'source' && order.output ? passOn(child.stdout, order.output) : undefined;
  reading?.catch(() => undefined);
  // Too much output, or a receiver that failed, closes the pipe; what does not write again would linger until the time limit.
  if (role !== 'source') child.stdout.once('close', () => child.stdout.readableEnded || child.kill());
  const ended = async (): Promise<ProgramEnd> => {
    const end = await child;
    if (child.pid === undefined) throw notStarted(order.file, end.cause);
    await reading;
    const stdout = end.stdout ? Buffer.from(end.stdout.buffer, end.stdout.byteOffset, end.stdout.byteLength) : Buffer.alloc(0);
    return {
      code: end.exitCode ?? null,
      signal: end.signal ?? null,
      stdout,
      stderr: stderr(),
      cut: end.timedOut ? 'time' : end.isMaxBuffer ? 'size' : undefined,
    };
  };
  return { child, ended };
};

/**
 * Runs a program to its end. A failing exit code is an answer, not an error.
 * @throws FairleadError `requirement_missing` when the program cannot be started; whatever `output` throws
 */
export const runProgram = async (order: ProgramOrder): Promise<ProgramEnd> => start(order, 'alone').ended();

/** Runs two programs with the output of the first as the input of the second. The bytes never pass through memory as a whole. */
export const pipePrograms = async (from: ProgramOrder, to: Omit<ProgramOrder, 'stdin'>): Promise<{ from: ProgramEnd; to: ProgramEnd }> => {
  const source = start(from, 'source');
  const [fromEnd, toEnd] = await Promise.all([source.ended(), runProgram({ ...to, stdin: source.child.stdout })]);
  return { from: fromEnd, to: toEnd };
};
