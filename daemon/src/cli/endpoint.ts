import { FairleadError } from '@fairlead/shared/contract/errors';
import { readSecretFile } from '@fairlead/shared/kit/secret';
import { readFile } from 'node:fs/promises';
import type { DaemonHome } from '../config/home.ts';

/** What `serve` writes when it is ready. */
export interface Endpoint {
  readonly url: string;
  readonly pid: number;
  readonly started_at: string;
}

/** Where the daemon of a home was last seen, or undefined. */
export const readEndpoint = async (home: DaemonHome): Promise<Endpoint | undefined> => {
  try {
    const read = JSON.parse(await readFile(home.endpoint, 'utf8')) as Partial<Endpoint>;
    return typeof read.url === 'string' && typeof read.pid === 'number'
      ? { url: read.url, pid: read.pid, started_at: read.started_at ?? '' }
      : undefined;
  } catch {
    return undefined;
  }
};

const notRunning = (detail: string, cause?: unknown): FairleadError =>
  new FairleadError('daemon_not_running', {
    detail,
    hint: 'Start it with fairlead serve; fairlead doctor says what is missing.',
    ...(cause !== undefined && { cause }),
  });

const tokenOf = async (home: DaemonHome): Promise<string> => {
  try {
    return await readSecretFile(home.operatorToken);
  } catch (error) {
    if (error instanceof FairleadError) throw error;
    throw notRunning(`There is no operator token in ${home.folder}`, error);
  }
};

/** Whether the process that wrote the endpoint may still be there. The token goes to nobody who merely took over its port. */
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

const servedAt = async (home: DaemonHome): Promise<string> => {
  const endpoint = await readEndpoint(home);
  if (!endpoint) throw notRunning(`No daemon serves ${home.root}`);
  if (!isAlive(endpoint.pid)) throw notRunning(`The daemon that served ${home.root} (process ${endpoint.pid}) has ended`);
  return endpoint.url;
};

/**
 * The address and the token of the daemon that is named, or of the one that serves the home.
 * @throws FairleadError `daemon_not_running` when none was ever started there, `secret_exposed` when others can read the token
 */
export const addressOf = async (
  home: DaemonHome,
  named: { readonly url: string | undefined; readonly token: string | undefined },
): Promise<{ readonly url: string; readonly token: string }> => {
  const url = named.url ?? (await servedAt(home));
  return { url: url.replace(/\/+$/, ''), token: named.token ?? (await tokenOf(home)) };
};
