import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { FairleadError } from '@fairlead/shared/contract/errors';

/** Where a value came from, for `fairlead-connector config`. */
export type Source = 'flag' | 'environment' | 'default';

export interface Setting {
  readonly key: string;
  readonly value: string | null;
  readonly source: Source;
}

/** What the command line may say about any command. */
export interface Flags {
  readonly home?: string;
  readonly log?: string;
  readonly daemonUrl?: string;
}

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Settings {
  /** The connector's own folder. */
  readonly home: string;
  /** Where the daemon of this home keeps its address and its operator's token. */
  readonly daemonHome: string;
  readonly log: LogLevel;
  /** An address of the daemon that was named; otherwise it is found in its home. */
  readonly daemonUrl: string | undefined;
  /** An operator token that was named; otherwise it is read from the daemon's home. */
  readonly daemonToken: string | undefined;
  /** Each setting and where it came from, secrets left out. */
  readonly told: readonly Setting[];
}

type Environment = Readonly<Record<string, string | undefined>>;

const choose = (key: string, flag: string | undefined, env: string | undefined, fallback: string | null): Setting => {
  if (flag !== undefined) return { key, value: flag, source: 'flag' };
  if (env !== undefined && env !== '') return { key, value: env, source: 'environment' };
  return { key, value: fallback, source: 'default' };
};

/**
 * Reads what was set: flag over environment over default. What enrolment and sharing wrote is not here but in their own files.
 * @throws FairleadError `config_invalid`
 */
export const readSettings = (env: Environment, flags: Flags): Settings => {
  const root = choose('home', flags.home, env['FAIRLEAD_HOME'], join(homedir(), '.fairlead'));
  const log = choose('log', flags.log, env['FAIRLEAD_LOG'], 'info');
  const daemonUrl = choose('daemon_url', flags.daemonUrl, env['FAIRLEAD_DAEMON_URL'], null);
  if (!LOG_LEVELS.includes(log.value as LogLevel)) {
    throw new FairleadError('config_invalid', {
      field: 'log',
      rule: `must be one of ${LOG_LEVELS.join(', ')}`,
      detail: 'The log level is unknown',
    });
  }
  const home = isAbsolute(root.value!) ? root.value! : resolve(root.value!);
  return {
    home: join(home, 'connector'),
    daemonHome: join(home, 'daemon'),
    log: log.value as LogLevel,
    daemonUrl: daemonUrl.value ?? undefined,
    daemonToken: env['FAIRLEAD_DAEMON_TOKEN'] || undefined,
    told: [{ ...root, value: home }, log, daemonUrl],
  };
};
