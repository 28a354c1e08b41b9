import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createClient, type Client } from '@fairlead/shared/contract/client';

/** The bundled daemon; `npm test` builds it first. */
const MAIN = join(import.meta.dirname, '../dist/main.js');
export const isBuilt = (): boolean => existsSync(MAIN);

/** A real daemon over a home of its own. */
export interface DaemonProcess {
  readonly client: Client;
  readonly child: ChildProcess;
  /** The signal that ended it, or null; settles when it is gone. */
  readonly gone: Promise<NodeJS.Signals | null>;
  readonly alive: () => boolean;
  stop(): Promise<void>;
}

/** Starts one and waits for its line. @param crashAt a journal point at which it kills itself @param through a program that starts it */
export const startDaemonProcess = async (home: string, crashAt?: string, through: readonly string[] = []): Promise<DaemonProcess> => {
  const serve = [MAIN, 'serve', '--json', '--port', '0', '--log', 'warn', ...(crashAt === undefined ? [] : ['--crash-at', crashAt])];
  const [file = process.execPath, ...args] = [...through, process.execPath, ...serve];
  const child = spawn(file, args, {
    env: { PATH: process.env['PATH'], FAIRLEAD_HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => void said.push(chunk.toString()));
  const gone = once(child, 'exit').then(([, signal]) => signal as NodeJS.Signals | null);
  const line = await Promise.race([
    once(createInterface(child.stdout), 'line').then(([text]) => text as string),
    gone.then(() => {
      throw new Error(`The daemon did not start: ${said.join('')}`);
    }),
  ]);
  const { url } = JSON.parse(line) as { url?: string };
  if (url === undefined) throw new Error(`The daemon did not start: ${line}`);
  const token = readFileSync(join(home, 'daemon', 'operator.token'), 'utf8').trim();
  const alive = (): boolean => child.exitCode === null && child.signalCode === null;
  return {
    client: createClient({ url, prefix: '/api/v1', token }),
    child,
    gone,
    alive,
    async stop() {
      if (alive()) child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await gone;
      clearTimeout(timer);
    },
  };
};
