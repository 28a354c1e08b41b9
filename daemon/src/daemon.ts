import { rm } from 'node:fs/promises';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { operationsOf } from '@fairlead/shared/contract/operations/table';
import { asStorageError, ensurePrivateFolder, writeFileAtomic } from '@fairlead/shared/kit/atomic-file';
import { isoTime, systemClock, watchProcess, type Clock } from '@fairlead/shared/kit/clock';
import { listen, type Listening } from '@fairlead/shared/kit/http-server';
import { createLog, type Log } from '@fairlead/shared/kit/log';
import { lockHome } from '@fairlead/shared/kit/sqlite';
import { version } from '../package.json' with { type: 'json' };
import { createApi } from './api/api.ts';
import type { AnyHandler } from './api/asked.ts';
import type { InstanceParts } from './api/instance-reads.ts';
import { createWakes, type Wakes } from './api/wakes.ts';
import type { DaemonHome } from './config/home.ts';
import { loadConfig, type Config } from './config/load-config.ts';
import { secretValues } from './config/secret-values.ts';
import { createAllCommands } from './daemon/commands.ts';
import { settleHistory } from './daemon/history-check.ts';
import { loadIdentity, type Identity } from './daemon/identity.ts';
import { workspacesStatus } from './daemon/workspaces-status.ts';
import { createWorkingParts, type WorkingParts } from './daemon/working-parts.ts';
import { armJournalPoint } from './ledger/journal.ts';
import type { Ledger } from './ledger/ledger.ts';
import { openLedger } from './ledger/open-ledger.ts';
import { keepSignedHeads } from './ledger/signed-heads.ts';

export interface DaemonOrder {
  readonly home: DaemonHome;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By setting name, as text. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  /** A journal point at which the process kills itself; for crash tests. */
  readonly crashAt: string | undefined;
  /** The owner goes on with a ledger that is not the one that was signed last. */
  readonly acceptRollback?: boolean | undefined;
  /** Handlers of further rows of the table, as a test adds them. */
  readonly more?: Readonly<Record<string, AnyHandler>>;
}

/** A daemon that is ready. */
export interface Daemon {
  readonly url: string;
  readonly confinement: string;
  /** Takes nothing more, lets go of what runs, and resolves when all is written. */
  stop(): Promise<void>;
}

/** How long answers that are under way may take when the daemon stops. In milliseconds. */
const GRACE = 5000;

interface Assembled {
  readonly order: DaemonOrder;
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly ledger: Ledger;
  readonly identity: Identity;
  readonly working: WorkingParts;
  readonly wakes: Wakes;
  /** Signs what the history has come to, and ends with that. */
  readonly signHeads: () => Promise<void>;
  /** Set when the daemon is told to stop. */
  readonly state: { draining: boolean };
}

/** The HTTP API over everything, listening. */
const serveApi = async (parts: Assembled, started: number): Promise<Listening> => {
  const { config, clock, log, ledger, identity, working, wakes, state } = parts;
  const { settings, provenance } = config;
  const { sandbox, reason } = working.confining;
  const shown: InstanceParts = {
    ledger,
    rows: operationsOf('daemon'),
    machine: settings.machine,
    executors: working.executorsOf,
    confinement: working.confinement,
    delegate: identity.delegate,
    repositories: working.repositories,
  };
  const app = createApi({
    ...shown,
    clock,
    log,
    wakes,
    operatorHash: identity.operatorHash,
    artifacts: working.artifacts,
    live: (stepId) => working.runner.liveActivity(stepId),
    commands: createAllCommands({ clock, settings, identity, working, shown }),
    health: watchProcess(),
    provenance: [...provenance],
    allowedHosts: [settings.host, ...settings.allowed_hosts],
    draining: () => state.draining,
    workspaces: () => workspacesStatus(ledger.read.instances(), working.grounds, working.workspaces),
    ...(parts.order.more && { more: parts.order.more }),
    about: {
      version,
      started_at: isoTime(started),
      machine: settings.machine,
      confinement: sandbox?.kind ?? 'unconfined',
      confinement_detail: sandbox?.detail ?? reason ?? 'no sandbox was found',
      parallelism: settings.parallelism,
    },
  });
  return listen(app, { host: settings.host, port: settings.port });
};

const stopAll = async ({ ledger, working, wakes, signHeads, state, order, log }: Assembled, listening: Listening): Promise<void> => {
  state.draining = true;
  await rm(order.home.endpoint, { force: true });
  wakes.wakeAll();
  await Promise.all([working.scheduler.stop(), listening.close(GRACE)]);
  await working.workspaces.close();
  await signHeads();
  await ledger.close();
  log.info('stopped');
};

/** From the lock on: whatever fails here gives the lock back. */
const startLocked = async (order: DaemonOrder, config: Config): Promise<Daemon> => {
  const { home, env } = order;
  const clock = systemClock;
  const log = createLog({ part: 'daemon', level: config.settings.log });
  const identity = await loadIdentity(home, clock);
  const ledger = openLedger({ file: home.ledger, clock });
  let signHeads = async (): Promise<void> => {};
  try {
    await settleHistory({ home, ledger, rootKey: identity.rootKey, accept: order.acceptRollback ?? false, log });
    signHeads = keepSignedHeads({
      file: home.heads,
      signer: identity.headSigner,
      ledger,
      clock,
      failed: (error) => log.warn({ err: error }, 'the heads of the history could not be signed; the next commit tries again'),
    });
    const secrets = [...identity.secrets, ...secretValues(config.settings.secrets, env)];
    const working = await createWorkingParts({ home, settings: config.settings, secrets, ledger, clock, log, env });
    const assembled: Assembled = {
      order,
      config,
      clock,
      log,
      ledger,
      identity,
      working,
      wakes: createWakes(ledger, (ms, fn) => clock.after(ms, fn)),
      signHeads,
      state: { draining: false },
    };
    await working.recover();
    const started = clock.now();
    const listening = await serveApi(assembled, started);
    await writeFileAtomic(home.endpoint, `${JSON.stringify({ url: listening.url, pid: process.pid, started_at: isoTime(started) })}\n`);
    working.scheduler.start();
    const confinement = working.confining.sandbox?.kind ?? 'unconfined';
    log.info({ url: listening.url, confinement }, 'ready');
    return { url: listening.url, confinement, stop: () => stopAll(assembled, listening) };
  } catch (error) {
    await signHeads();
    await ledger.close();
    throw error;
  }
};

const arm = (point: string | undefined): void => {
  try {
    armJournalPoint(point);
  } catch (cause) {
    throw new FairleadError('config_invalid', { field: '--crash-at', detail: (cause as Error).message, cause });
  }
};

/**
 * Puts the daemon together and starts it.
 * @throws FairleadError `config_invalid`, `already_running`, `port_in_use`, `secret_exposed`, `schema_newer`, `disk_full`,
 *   `store_unwritable`, `history_rolled_back`, `signature_invalid`
 */
export const startDaemon = async (order: DaemonOrder): Promise<Daemon> => {
  const { home, env, flags, crashAt } = order;
  const config = loadConfig({ file: home.config, env, flags });
  arm(crashAt);
  try {
    await ensurePrivateFolder(home.folder);
    const unlock = lockHome(home.lock);
    try {
      const daemon = await startLocked(order, config);
      return { ...daemon, stop: () => daemon.stop().finally(unlock) };
    } catch (error) {
      unlock();
      throw error;
    }
  } catch (error) {
    throw asStorageError(error);
  }
};
