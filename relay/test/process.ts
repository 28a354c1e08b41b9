import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { relayHome } from '../src/config/settings.ts';
import { clientOf, type TestRelay } from './rig.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const MAIN = here('../dist/main.js');
const run = promisify(execFile);

/** Bundles the relay, if its sources have changed since it was bundled. */
export const buildRelay = async (): Promise<void> => {
  await run(process.execPath, [here('../../scripts/build.mjs'), 'relay']);
};

/** The relay as a program of its own. */
export interface RelayProcess extends Pick<TestRelay, 'url' | 'admin' | 'client' | 'audit' | 'home'> {
  readonly child: ChildProcess;
  readonly line: Record<string, unknown>;
  /** Everything that it has printed to stdout. */
  stdout(): string;
  /** Ends it with a signal, and answers its exit code or the signal. */
  stop(signal: NodeJS.Signals): Promise<number | string>;
}

const firstLine = async (child: ChildProcess): Promise<string> => {
  let text = '';
  for await (const part of child.stdout!.iterator({ destroyOnReturn: false })) {
    text += String(part);
    if (text.includes('\n')) return text;
  }
  throw new Error('the relay ended before it was ready');
};

export const relayProcess = async (base: string, flags: readonly string[] = []): Promise<RelayProcess> => {
  const child = spawn(process.execPath, [MAIN, '--home', base, '--json', '--quiet', 'serve', '--port', '0', ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 60_000,
  });
  let text = await firstLine(child);
  child.stdout.on('data', (part) => {
    text += String(part);
  });
  const line = JSON.parse(text) as { url: string };
  const home = relayHome(base);
  const client = (token: string) => clientOf(line.url, token);
  const admin = client((await readFile(home.adminToken, 'utf8')).trim());
  return {
    ...line,
    line,
    child,
    home,
    client,
    admin,
    stdout: () => text,
    audit: async (filter = {}) => (await admin.call('list_audit', { limit: 500, ...filter })).items,
    async stop(signal) {
      const ended = child.exitCode !== null || child.signalCode !== null ? undefined : once(child, 'exit');
      child.kill(signal);
      await ended;
      return child.exitCode ?? child.signalCode!;
    },
  };
};

/** Runs the relay's command line. */
export const relayCli = async (base: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> => {
  try {
    return { code: 0, ...(await run(process.execPath, [MAIN, '--home', base, ...args], { timeout: 20_000 })) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
};
