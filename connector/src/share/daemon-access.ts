import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient, type Client } from '@fairlead/shared/contract/client';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { nodeTransport } from '@fairlead/shared/kit/http-client';
import { readSecretFile } from '@fairlead/shared/kit/secret';
import * as z from 'zod';
import type { Settings } from '../config/settings.ts';

const Endpoint = z.looseObject({ url: z.url({ protocol: /^http$/, hostname: /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/ }) });

/** The address that a daemon wrote into its home when it started, or `undefined` where there is none. */
export const readEndpoint = async (daemonHome: string): Promise<string | undefined> => {
  try {
    return new URL(Endpoint.parse(JSON.parse(await readFile(join(daemonHome, 'endpoint.json'), 'utf8'))).url).origin;
  } catch {
    return undefined;
  }
};

export interface DaemonAccess {
  readonly url: string;
  /** Where the daemon tells its address; null when it was named by hand. */
  readonly home: string | null;
  /** With the operator's token: for the owner's own commands only, never for anything that a relay asked. */
  readonly operator: Client;
}

/**
 * The daemon of this home, with its operator's token.
 * @throws FairleadError `daemon_not_running` when it has left no address, `unauthenticated` when there is no token to show
 */
export const daemonAccess = async (settings: Settings): Promise<DaemonAccess> => {
  const found = settings.daemonUrl ?? (await readEndpoint(settings.daemonHome));
  if (found === undefined)
    throw new FairleadError('daemon_not_running', { detail: `No daemon has left its address in ${settings.daemonHome}` });
  const url = found.replace(/\/+$/, '');
  const token = settings.daemonToken ?? (await operatorToken(settings.daemonHome));
  return {
    url,
    home: settings.daemonUrl === undefined ? settings.daemonHome : null,
    operator: createClient({ url, prefix: '/api/v1', token, transport: nodeTransport() }),
  };
};

const operatorToken = async (daemonHome: string): Promise<string> => {
  try {
    return await readSecretFile(join(daemonHome, 'operator.token'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new FairleadError('unauthenticated', {
      detail: `There is no operator token in ${daemonHome}`,
      hint: 'Run this as the owner of the daemon, or set FAIRLEAD_DAEMON_TOKEN.',
    });
  }
};
