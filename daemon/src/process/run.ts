import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
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
const DEFAULT_LIMIT = 64 * 1024 * 1024;
const DEFAULT_TIME = 600_000;

export const searchPath = (): string => pathFolders().join(':') || '/usr/local/bin:/usr/bin:/bin';

const launch = (order: ProgramOrder): ChildProcessByStdio<Writable, Readable, Readable> =>
  spawn(order.file, order.args, {
    cwd: order.cwd,
    env: { ...order.env, PATH: searchPath() },
    stdio: ['pipe', 'pipe', 'pipe'],
    windowsHide: true,
  });

const feed = (child: ChildProcessByStdio<Writable, Readable, Readable>, stdin: ProgramOrder['stdin']): void => {
  // A program that ends without reading its input closes the pipe; its exit code says what happened.
  child.stdin.on('error', () => undefined);
  if (stdin === undefined || typeof stdin === 'string' || stdin instanceof Uint8Array) child.stdin.end(stdin);
  else pipeline(stdin, child.stdin).catch(() => undefined);
};

const closed = (child: ChildProcessByStdio<Writable, Readable, Readable>, file: string): Promise<{ code: number | null; signal: string | null }> =>
  new Promise((resolve, reject) => {
    child.once('error', (cause) =>
      reject(new FairleadError('requirement_missing', { detail: `${file} could not be started`, hint: `Install ${file} and put it on the PATH of the daemon.`, cause })),
    );
    child.once('close', (code, signal) => resolve({ code, signal }));
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

/**
 * Runs a program to its end. A failing exit code is an answer, not an error.
 * @throws FairleadError `requirement_missing` when the program cannot be started; whatever `output` throws
 */
export const runProgram = async (order: ProgramOrder): Promise<ProgramEnd> => {
  const child = launch(order);
  const end = closed(child, order.file);
  const stderr = keepHead(child.stderr);
  feed(child, order.stdin);
  let cut: ProgramEnd['cut'];
  const end_it = (why: 'time' | 'size') => {
    cut ??= why;
    child.kill('SIGKILL');
  };
  const timer = setTimeout(() => end_it('time'), order.timeout_ms ?? DEFAULT_TIME);
  const kept: Buffer[] = [];
  const limit = order.limit ?? DEFAULT_LIMIT;
  const { output } = order;
  let size = 0;
  let reading: Promise<void> | undefined;
  if (output) {
    reading = (async () => {
      for await (const chunk of child.stdout) await output(chunk as Buffer);
    })();
    reading.catch(() => child.kill('SIGKILL'));
  } else {
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) end_it('size');
      else kept.push(chunk);
    });
  }
  try {
    const [{ code, signal }] = await Promise.all([end, reading]);
    return { code, signal, stdout: kept.length === 1 ? kept[0]! : Buffer.concat(kept), stderr: stderr(), cut };
  } finally {
    clearTimeout(timer);
  }
};

/** Runs two programs with the output of the first as the input of the second. The bytes never pass through memory as a whole. */
export const pipePrograms = async (from: ProgramOrder, to: Omit<ProgramOrder, 'stdin'>): Promise<{ from: ProgramEnd; to: ProgramEnd }> => {
  const source = launch(from);
  const ended = closed(source, from.file);
  const stderr = keepHead(source.stderr);
  const timer = setTimeout(() => source.kill('SIGKILL'), from.timeout_ms ?? DEFAULT_TIME);
  feed(source, from.stdin);
  try {
    const [end, sink] = await Promise.all([ended, runProgram({ ...to, stdin: source.stdout })]);
    return { from: { ...end, stdout: Buffer.alloc(0), stderr: stderr(), cut: undefined }, to: sink };
  } finally {
    clearTimeout(timer);
  }
};
