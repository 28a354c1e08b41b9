import { printable } from '@fairlead/shared/kit/printable';
import { Option, type Command } from 'commander';
import { environment } from '../../config/environment.ts';
import type { DaemonHome } from '../../config/home.ts';
import { addCommand, type Streams } from '../context.ts';

/** What starting a daemon takes. Flags are text; the loader reads them. */
export interface ServeOrder {
  readonly home: DaemonHome;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly flags: Readonly<Record<string, string | undefined>>;
  /** A journal point at which the process kills itself; for crash tests. */
  readonly crashAt: string | undefined;
  readonly acceptRollback: boolean | undefined;
}

/** A daemon that is ready. */
export interface ServedDaemon {
  readonly url: string;
  readonly confinement: string;
  /** Takes nothing more, lets go of what runs, and resolves when all is written. */
  stop(): Promise<void>;
}

/** The composition root, loaded when `serve` is asked for. */
export type StartDaemon = (order: ServeOrder) => Promise<ServedDaemon>;

interface ServeOptions {
  readonly host?: string;
  readonly port?: string;
  readonly parallelism?: string;
  readonly machine?: string;
  readonly log?: string;
  readonly crashAt?: string;
  readonly acceptRollback?: boolean;
}

const stopSignal = (): Promise<NodeJS.Signals> =>
  new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => resolve(signal));
  });

export const serveCommand = (program: Command, streams: Streams, start: StartDaemon): Command =>
  addCommand<ServeOptions>(
    program,
    streams,
    { use: 'serve', text: 'Run the daemon until it is told to stop' },
    async ({ home, out }, _, { crashAt, acceptRollback, ...flags }) => {
      const asked = stopSignal();
      const daemon = await start({ home, env: environment(), flags: { ...flags }, crashAt, acceptRollback });
      out.result({ url: daemon.url, home: home.root, pid: process.pid, confinement: daemon.confinement }, () =>
        [
          `Fairlead's daemon serves ${printable(home.root)} at ${daemon.url}`,
          daemon.confinement === 'unconfined'
            ? 'There is no sandbox here: fairlead doctor says how to get one.'
            : `Work runs confined by ${daemon.confinement}.`,
          'Register a repository: fairlead add PATH',
        ].join('\n'),
      );
      const signal = await asked;
      out.progress(`Stopping (${signal}).`);
      await daemon.stop();
    },
  )
    .option('--host <address>', 'where to listen; default: 127.0.0.1')
    .option('--port <port>', 'default: 8085; 0 takes a free one')
    .option('--parallelism <count>', 'steps at the same time; default: one for each core')
    .option('--machine <label>', 'what planners see of this machine')
    .option('--log <level>', 'fatal, error, warn, info, debug, trace or silent')
    .option('--accept-rollback', 'go on with a ledger that is older than what was signed of it; the history says so')
    .addOption(new Option('--crash-at <point>').hideHelp());
