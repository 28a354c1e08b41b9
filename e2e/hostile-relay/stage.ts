import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@fairlead/shared/contract/client';
import { FairleadError } from '@fairlead/shared/contract/errors';
import type { OutputOf, OperationName } from '@fairlead/shared/contract/operations/table';
import { OPERATIONS } from '@fairlead/shared/contract/operations/table';
import { mintSecret } from '@fairlead/shared/kit/secret';
import type { WireRequest } from '@fairlead/shared/wire/exchange';
import { askFor, relayDouble, textOf, type LiveSession, type RelayDouble } from '../../connector/test/relay-double.ts';
import { clientFor } from '../rig/planner.ts';
import { runCommand, runJson, startServer, until, type Ended, type Running } from '../rig/processes.ts';
import { PROGRAMS } from '../rig/programs.ts';
import { git, makeRepository } from '../rig/repositories.ts';
import { toolchain } from '../rig/stack.ts';

/** What the connector says of itself. */
export interface ConnectorStatus {
  readonly state: string;
  readonly last_error: { readonly code: string; readonly message: string } | null;
}

/** One repository as the daemon serves it. */
export interface Served {
  readonly id: string;
  readonly repo: string;
}

/** The real connector and the real daemon, as processes, dialled into a relay that does what a test tells it to. */
export interface Stage {
  readonly relay: RelayDouble;
  readonly home: string;
  /** Shared with the default grant; a change of its is held by a gate. */
  readonly shared: Served;
  /** Shared for one step, with the executor `patch` alone. */
  readonly narrow: Served;
  /** Registered with the daemon and never shared. */
  readonly unshared: Served;
  /** The owner, at the machine. */
  readonly owner: Client;
  /** The newest session, once its set was taken. */
  session(): Promise<LiveSession>;
  /** Asks as the relay, and answers the document that came back. */
  ask<N extends OperationName>(name: N, served: Served, input: Record<string, unknown>, more?: Partial<WireRequest>): Promise<OutputOf<N>>;
  /** What the connector's status file says now; its `status` command shows the same. */
  status(): ConnectorStatus;
  /** What the running connector has logged. */
  log(): string;
  /** Ends the connector and starts it anew, so that earlier attacks do not make it wait before it dials. */
  restart(part: 'connector' | 'daemon', how?: 'stop' | 'kill'): Promise<void>;
  run(program: keyof typeof PROGRAMS, ...args: string[]): Promise<Ended>;
  /** What the owner's branch points to, and every file of `.git` that names a commit. */
  refs(served: Served): string;
  close(): Promise<void>;
}

/** Checks leave a mark when they run, so that a test can tell that nothing ran. */
const POLICY = `version: 1
validations:
  unit: { run: [grep, -q, ok, state.txt], timeout: 30s }
gates: { when: [always] }
`;
const PROJECT = { '.fairlead/project.yaml': POLICY, 'state.txt': 'ok\n' };

/** A patch that changes `state.txt` of the stage's projects. */
export const patchTo = (text: string): string =>
  `diff --git a/state.txt b/state.txt\n--- a/state.txt\n+++ b/state.txt\n@@ -1 +1 @@\n-ok\n+${text}\n`;

/** The code with which something was refused, or `answered`. */
export const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'answered',
    (error: unknown) => (error instanceof FairleadError ? error.code : String(error)),
  );

interface Started {
  readonly home: string;
  readonly parts: { daemon?: Running; connector?: Running };
  readonly relay: RelayDouble;
}

const start = async ({ home, parts, relay }: Started): Promise<Stage> => {
  const env = { FAIRLEAD_HOME: home, HOME: join(home, 'user') };
  for (const folder of ['user', 'daemon']) mkdirSync(join(home, folder), { recursive: true, mode: 0o700 });
  writeFileSync(join(home, 'daemon', 'config.yaml'), toolchain(), { mode: 0o600 });
  const run: Stage['run'] = (program, ...args) => runCommand({ name: program, argv: [...PROGRAMS[program], ...args], env, cwd: home });
  const json = (...args: string[]) => runJson({ name: 'connector', argv: [...PROGRAMS.connector, ...args, '--json'], env, cwd: home });
  let port = '0';
  const starts = {
    daemon: async () => {
      parts.daemon = await startServer({ name: 'daemon', argv: [...PROGRAMS.fairlead, 'serve', '--json', '--port', port], env, cwd: home });
      port = new URL(parts.daemon.ready['url'] as string).port;
    },
    connector: async () => {
      parts.connector = await startServer({
        name: 'connector',
        argv: [...PROGRAMS.connector, 'run', '--json'],
        env: { ...env, FAIRLEAD_LOG: 'info' },
        cwd: home,
      });
    },
  };
  await starts.daemon();
  const owner = clientFor(
    parts.daemon!.ready['url'] as string,
    '/api/v1',
    readFileSync(join(home, 'daemon', 'operator.token'), 'utf8').trim(),
  );
  const secret = mintSecret('fle');
  relay.tokenFor(secret);
  await json('enroll', '--relay', relay.origin, '--token', secret, '--label', 'desk');
  const add = async (name: string): Promise<Served> => {
    const repo = makeRepository(join(home, 'projects', name), PROJECT);
    const unconfined = parts.daemon!.ready['confinement'] === 'unconfined';
    return { repo, id: (await owner.call('add_instance', { path: repo, unconfined }, { idempotencyKey: name })).id };
  };
  const [shared, narrow, unshared] = [await add('shared'), await add('narrow'), await add('unshared')];
  await json('share', '--instance', shared.id);
  await json('share', '--instance', narrow.id, '--executor', 'patch', '--steps', '1');
  await starts.connector();

  const session: Stage['session'] = () =>
    until('the connector has advertised', () => {
      const newest = relay.sessions.at(-1);
      return Promise.resolve(newest !== undefined && newest.sets.length > 0 && status().state === 'verified' && newest);
    });
  const status: Stage['status'] = () => JSON.parse(readFileSync(join(home, 'connector', 'status.json'), 'utf8')) as ConnectorStatus;
  return {
    relay,
    home,
    shared,
    narrow,
    unshared,
    owner,
    session,
    status,
    log: () => parts.connector!.log(),
    run,
    async ask(name, served, input, more = {}) {
      const { channel } = relay.sessions.at(-1)!;
      const answer = await channel.request(askFor(name, served.id, input, more), { effect: OPERATIONS[name].effect });
      return JSON.parse(await textOf(answer)) as OutputOf<typeof name>;
    },
    async restart(part, how = 'stop') {
      await parts[part]![how]();
      await starts[part]();
    },
    refs: ({ repo }) => git(repo, 'for-each-ref') + git(repo, 'rev-parse', 'HEAD') + git(repo, 'status', '--porcelain'),
    async close() {
      await parts.connector?.stop();
      await parts.daemon?.stop();
      await relay.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
};

/** Raises the stage in a folder of its own. `close` ends its processes by pid and removes the folder. */
export const raiseStage = async (): Promise<Stage> => {
  const started: Started = {
    home: realpathSync(mkdtempSync(join(tmpdir(), 'fairlead-hostile-'))),
    parts: {},
    relay: await relayDouble(),
  };
  try {
    return await start(started);
  } catch (error) {
    await started.parts.connector?.stop();
    await started.parts.daemon?.stop();
    await started.relay.close();
    rmSync(started.home, { recursive: true, force: true });
    throw error;
  }
};
