import { readFileSync } from 'node:fs';
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const TERM_GRACE_MS = 10_000;
/** Machines that test are busy; a part that needs longer has hung. */
const START_MS = 60_000;
const STDERR_KEPT = 64 * 1024;

export interface Order {
  /** For messages, such as `relay`. */
  readonly name: string;
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string;
  readonly timeoutMs?: number;
  /** Told of a server's process before it is ready. */
  readonly spawned?: (pid: number) => void;
}

export interface Running {
  readonly name: string;
  readonly pid: number;
  /** The first line on stdout, parsed. */
  readonly ready: Record<string, unknown>;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** What it has written to stderr, the end of it. */
  log(): string;
  /** TERM, then KILL after a grace; settles when the process is gone. */
  stop(): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** KILL at once; settles when the process is gone. */
  kill(): Promise<void>;
}

/** The environment of a part: nothing of the caller's but what finding programs needs, so that runs are alike everywhere. */
const environment = (extra: Readonly<Record<string, string>> = {}): Record<string, string> => {
  const kept = ['PATH', 'TMPDIR', 'LANG', 'NODE_EXTRA_CA_CERTS'].flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]]],
  );
  return { ...(Object.fromEntries(kept) as Record<string, string>), NO_COLOR: '1', ...extra };
};

const launch = ({ argv, env, cwd }: Order, stdin: 'ignore' | 'pipe'): ChildProcess =>
  spawn(argv[0]!, argv.slice(1), { env: environment(env), ...(cwd !== undefined && { cwd }), stdio: [stdin, 'pipe', 'pipe'] });

const endOf = (child: ChildProcess): Running['ended'] =>
  new Promise((resolve) => {
    child.once('error', () => resolve({ code: 127, signal: null }));
    child.once('close', (code, signal) => resolve({ code, signal }));
  });

const keepTail = (child: ChildProcess): (() => string) => {
  let tail = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    tail = (tail + chunk.toString()).slice(-STDERR_KEPT);
  });
  return () => tail;
};

/** The first stdout line as JSON. What follows is read and dropped, or the pipe would fill. */
const firstLine = (child: ChildProcess): Promise<Record<string, unknown>> =>
  new Promise((resolve, reject) => {
    createInterface({ input: child.stdout! }).once('line', (line) => {
      child.stdout!.resume();
      try {
        resolve(JSON.parse(line) as Record<string, unknown>);
      } catch (cause) {
        reject(new Error(`The first line is not JSON: ${line}`, { cause }));
      }
    });
  });

const within = async <T>(ms: number, promise: Promise<T>, late: () => Error): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(late()), ms);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
};

const stopChild = async (child: ChildProcess, ended: Running['ended']): ReturnType<Running['stop']> => {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), TERM_GRACE_MS);
  try {
    return await ended;
  } finally {
    clearTimeout(timer);
  }
};

/**
 * Starts a server that prints one JSON line when it is ready.
 * @throws Error with the end of its stderr when it ends or is silent for too long
 */
export const startServer = async (order: Order): Promise<Running> => {
  const { name, timeoutMs = START_MS } = order;
  const child = launch(order, 'ignore');
  const ended = endOf(child);
  const log = keepTail(child);
  if (child.pid !== undefined) order.spawned?.(child.pid);
  const running = {
    name,
    pid: child.pid ?? -1,
    ended,
    log,
    stop: () => stopChild(child, ended),
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
  try {
    const died = ended.then(({ code, signal }): never => {
      throw new Error(`${name} ended with ${code ?? signal} before it was ready\n${log()}`);
    });
    const ready = await within(
      timeoutMs,
      Promise.race([firstLine(child), died]),
      () => new Error(`${name} was not ready in ${timeoutMs} ms\n${log()}`),
    );
    return { ...running, ready };
  } catch (error) {
    await running.kill();
    throw error;
  }
};

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. Never throws for an exit code; a command over its time is killed and answers code null. */
export const runCommand = async (order: Order): Promise<Ended> => {
  const child = launch(order, order.stdin === undefined ? 'ignore' : 'pipe');
  child.stdin?.end(order.stdin);
  const ended = endOf(child);
  const log = keepTail(child);
  const chunks: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  const timer = setTimeout(() => child.kill('SIGKILL'), order.timeoutMs ?? 60_000);
  const { code } = await ended;
  clearTimeout(timer);
  return { code, stdout: Buffer.concat(chunks).toString(), stderr: log() };
};

/**
 * Runs a command with `--json` and answers its one document.
 * @throws Error when it exits with anything but 0
 */
export const runJson = async <T = Record<string, unknown>>(order: Order): Promise<T> => {
  const { code, stdout, stderr } = await runCommand(order);
  if (code !== 0) throw new Error(`${order.name}: ${order.argv.slice(1).join(' ')} ended with ${code}\n${stdout}${stderr}`);
  return JSON.parse(stdout) as T;
};

/** Memory that a process has resident now, in bytes. Linux only. */
export const residentOf = (pid: number): number => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024;

/** Waits until something holds, looking every 50 ms. */
export const until = async <T>(what: string, look: () => Promise<T | undefined | false>, timeoutMs = 20_000): Promise<T> => {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (Date.now() > end) throw new Error(`Waited ${timeoutMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

/** Whether a process with this id is there. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};
