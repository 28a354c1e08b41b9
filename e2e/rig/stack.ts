import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Client } from '@fairlead/shared/contract/client';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { PROGRAMS, type ProgramName } from './programs.ts';
import { clientFor, httpPlanner, type Planner } from './planner.ts';
import type { TappedWire } from './tapped-wire.ts';
import { runCommand, runJson, startServer, until, type Ended, type Running } from './processes.ts';
import { makeRepository, SAMPLE_PROJECT } from './repositories.ts';

export interface StackOptions {
  /** Folder for everything; default: the temporary folder of the system. */
  readonly base?: string;
  /** Repositories to register. Default: as many sample projects as `instances` says. */
  readonly repositories?: readonly string[];
  readonly instances?: number;
  /** The files of those projects. Default: the sample with its failing test. */
  readonly project?: Readonly<Record<string, string>>;
  readonly executor?: string;
  /** Further lines of the daemon's config.yaml. */
  readonly config?: string;
  /** Further arguments of `fairlead-connector share`. */
  readonly share?: readonly string[];
  /** Further environment of every part. */
  readonly env?: Readonly<Record<string, string>>;
  /** A line that the connector takes to the relay, on which each message can be seen. */
  readonly wire?: TappedWire;
  /** Told of each process of a part as it begins, which may be long before it is ready. */
  readonly spawned?: (part: PartName, pid: number) => void;
  /** Told as each part stands. */
  readonly tell?: (text: string) => void;
}

export type PartName = 'relay' | 'daemon' | 'connector';
type Parts = Record<PartName, Running>;

export interface StackInstance {
  readonly id: string;
  readonly repo: string;
}

export interface Stack {
  readonly home: string;
  readonly relayUrl: string;
  readonly mcpUrl: string;
  readonly daemonUrl: string;
  readonly plannerToken: string;
  readonly adminToken: string;
  readonly daemonToken: string;
  readonly instances: readonly StackInstance[];
  readonly confinement: string;
  /** The processes; a scenario may stop one and start it again. */
  readonly parts: Parts;
  readonly planner: Planner;
  /** The daemon, asked with the operator's token: local authority. */
  readonly operator: Client;
  /** The relay, asked with the admin token. */
  readonly admin: Client;
  /** Starts a part, again or with further arguments of its `serve`. */
  start(part: PartName, ...args: readonly string[]): Promise<void>;
  /** Runs a command line to its end, in this home. */
  run(program: ProgramName, ...args: string[]): Promise<Ended>;
  /** The same with `--json`; throws when it fails. */
  json<T = Record<string, unknown>>(program: ProgramName, ...args: string[]): Promise<T>;
  close(): Promise<void>;
}

/** Programs may live outside the folders that every sandbox sees (a version manager's, say); those are listed for this home. */
export const toolchain = (): string => {
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  return /^\/(usr|bin|lib|opt)?(\/|$)/.test(prefix) ? '' : `toolchain_folders: [${JSON.stringify(prefix)}]\n`;
};

const secretIn = (file: string): string => readFileSync(file, 'utf8').trim();
const text = (value: unknown): string => value as string;

/** Starts one part in a home. A part that is started again keeps its address. */
const startPart = (
  part: PartName,
  home: string,
  ports: Map<string, string>,
  { env: extra, wire, spawned }: StackOptions,
  args: readonly string[],
): Promise<Running> => {
  const env = { FAIRLEAD_HOME: home, HOME: join(home, 'user'), FAIRLEAD_LOG: 'warn', ...extra };
  const port = ports.get(part) ?? '0';
  const origin = wire ? ['--origin', wire.url] : [];
  const argv = {
    relay: [...PROGRAMS.relay, 'serve', '--json', '--port', port, ...origin],
    daemon: [...PROGRAMS.fairlead, 'serve', '--json', '--port', port],
    connector: [...PROGRAMS.connector, 'run', '--json'],
  }[part];
  return startServer({ name: part, argv: [...argv, ...args], env, cwd: home, spawned: (pid) => spawned?.(part, pid) });
};

const portOf = (running: Running): string => new URL(text(running.ready['url'])).port;

const enrol = async (stack: Pick<Stack, 'admin' | 'json' | 'relayUrl'>): Promise<void> => {
  const token = await stack.admin.call('create_enrollment_token', { label: 'machine' }, { idempotencyKey: randomUUID() });
  await stack.json('connector', 'enroll', '--relay', stack.relayUrl, '--token', token.secret, '--label', 'machine');
};

const addRepositories = async (home: string, operator: Client, options: StackOptions, confinement: string): Promise<StackInstance[]> => {
  const repositories =
    options.repositories ??
    Array.from({ length: options.instances ?? 1 }, (_, at) =>
      makeRepository(join(home, 'projects', `shop-${at + 1}`), options.project ?? SAMPLE_PROJECT),
    );
  const added: StackInstance[] = [];
  for (const repo of repositories) {
    const { id } = await operator.call(
      'add_instance',
      {
        path: repo,
        ...(options.executor !== undefined && { default_executor: options.executor }),
        unconfined: confinement === 'unconfined',
      },
      { idempotencyKey: randomUUID() },
    );
    added.push({ id, repo });
  }
  return added;
};

/** Waits until every instance answers a planner through all the parts. */
const prove = async (planner: Planner, instances: readonly StackInstance[]): Promise<void> => {
  for (const { id } of instances) {
    await until(`instance ${id} answers through the relay`, () =>
      planner
        .call('get_instance', { instance_id: id })
        .then(({ id: seen }) => seen === id)
        .catch(() => false as const),
    );
  }
};

const closeAll = async (parts: Partial<Parts>, home: string): Promise<void> => {
  for (const part of ['connector', 'relay', 'daemon'] as const) await parts[part]?.stop();
  rmSync(home, { recursive: true, force: true });
};

const raise = async (home: string, parts: Partial<Parts>, options: StackOptions): Promise<Stack> => {
  const tell = options.tell ?? (() => {});
  const ports = new Map<string, string>();
  for (const folder of ['user', 'daemon']) mkdirSync(join(home, folder), { recursive: true, mode: 0o700 });
  writeFileSync(join(home, 'daemon', 'config.yaml'), `${toolchain()}${options.config ?? ''}`, { mode: 0o600 });
  const start = async (part: PartName, ...args: readonly string[]): Promise<void> => {
    parts[part] = await startPart(part, home, ports, options, args);
    if (part !== 'connector') ports.set(part, portOf(parts[part]));
    if (part === 'relay') options.wire?.to(Number(ports.get(part)));
  };
  await Promise.all([start('relay'), start('daemon')]);
  const { relay, daemon } = parts as Parts;
  const [relayUrl, daemonUrl] = [text(relay.ready['url']), text(daemon.ready['url'])];
  tell(`relay on ${relayUrl}, daemon on ${daemonUrl}`);
  const [adminToken, daemonToken] = [secretIn(join(home, 'relay', 'admin.token')), secretIn(join(home, 'daemon', 'operator.token'))];
  const [admin, operator] = [clientFor(relayUrl, '/api/v2', adminToken), clientFor(daemonUrl, '/api/v1', daemonToken)];
  const env = { FAIRLEAD_HOME: home, HOME: join(home, 'user') };
  const run: Stack['run'] = (program, ...args) => runCommand({ name: program, argv: [...PROGRAMS[program], ...args], env, cwd: home });
  const json: Stack['json'] = (program, ...args) =>
    runJson({ name: program, argv: [...PROGRAMS[program], ...args, '--json'], env, cwd: home });
  await enrol({ admin, json, relayUrl: options.wire?.url ?? relayUrl });
  tell('connector enrolled');
  const confinement = text(daemon.ready['confinement']);
  const instances = await addRepositories(home, operator, options, confinement);
  for (const { id } of instances) await json('connector', 'share', '--instance', id, ...(options.share ?? []));
  tell(`${instances.length} ${instances.length === 1 ? 'repository' : 'repositories'} registered and shared`);
  await start('connector');
  const { secret: plannerToken } = await admin.call('create_planner_token', { name: 'planner' }, { idempotencyKey: randomUUID() });
  const planner = httpPlanner(relayUrl, plannerToken);
  await prove(planner, instances);
  tell('the path from planner to repository is proven');
  const close = () => closeAll(parts, home);
  const mcpUrl = text(relay.ready['mcp_url']);
  return {
    home,
    relayUrl,
    mcpUrl,
    daemonUrl,
    plannerToken,
    adminToken,
    daemonToken,
    instances,
    confinement,
    parts: parts as Parts,
    planner,
    operator,
    admin,
    start,
    run,
    json,
    close,
  };
};

/** A script that is told to stop, or whose reader has gone, takes its stack down first. `stack.close` may be called twice. */
export const closeOnSignal = (stack: Pick<Stack, 'close'>): void => {
  const end = () => void stack.close().finally(() => process.exit(5));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end);
  for (const stream of [process.stdout, process.stderr]) stream.on('error', end);
};

/**
 * Raises the three parts as real processes in a folder of their own: relay, daemon, connector; enrolled, with repositories
 * registered and shared, and a planner's token that may submit and read. `close` stops all by pid and removes the folder.
 */
export const raiseStack = async (options: StackOptions = {}): Promise<Stack> => {
  const home = realpathSync(mkdtempSync(join(options.base ?? tmpdir(), 'fairlead-')));
  const parts: Partial<Parts> = {};
  try {
    return await raise(home, parts, options);
  } catch (error) {
    const logs = Object.values(parts).map((part) => `--- ${part.name}\n${part.log()}`);
    await closeAll(parts, home);
    // A refusal says itself what is wrong; anything else needs the logs.
    if (error instanceof FairleadError && error.code !== 'internal') throw error;
    throw new Error([(error as Error).message, ...logs].join('\n'), { cause: error });
  }
};
