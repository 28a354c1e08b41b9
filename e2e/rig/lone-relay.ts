import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@fairlead/shared/contract/client';
import { clientFor } from './planner.ts';
import { startServer, type Running } from './processes.ts';
import { PROGRAMS } from './programs.ts';

/** A relay as a process of its own, with nothing behind it yet. */
export interface LoneRelay {
  readonly url: string;
  readonly home: string;
  readonly adminToken: string;
  readonly admin: Client;
  readonly running: Running;
  /** Makes a planner's token that may do whatever the default allows. */
  plannerToken(): Promise<string>;
  /** Ends it, in good order or with kill -9, runs what is given, and starts it again at the same address. */
  restart(meanwhile?: () => Promise<void>, end?: 'stop' | 'kill'): Promise<void>;
  close(): Promise<void>;
}

/**
 * @param node flags of node itself, such as `--expose-gc`
 * @param env further environment, made from the relay's home
 */
export const raiseRelay = async (
  node: readonly string[] = [],
  env: (home: string) => Readonly<Record<string, string>> = () => ({}),
): Promise<LoneRelay> => {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'fairlead-')));
  const [program, ...main] = PROGRAMS.relay;
  const start = (port: string) =>
    startServer({
      name: 'relay',
      argv: [program!, ...node, ...main, 'serve', '--json', '--port', port],
      env: { FAIRLEAD_HOME: home, HOME: home, FAIRLEAD_LOG: 'warn', FAIRLEAD_RELAY_PLANNER_RATE: '100000000', ...env(home) },
      cwd: home,
      timeoutMs: 60_000,
    });
  let running = await start('0');
  const url = running.ready['url'] as string;
  const adminToken = readFileSync(join(home, 'relay', 'admin.token'), 'utf8').trim();
  const admin = clientFor(url, '/api/v2', adminToken);
  return {
    url,
    home,
    adminToken,
    admin,
    get running() {
      return running;
    },
    plannerToken: async () => (await admin.call('create_planner_token', { name: 'planner' }, { idempotencyKey: randomUUID() })).secret,
    async restart(meanwhile = async () => {}, end = 'stop') {
      await running[end]();
      await meanwhile();
      running = await start(new URL(url).port);
    },
    async close() {
      await running.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
};
