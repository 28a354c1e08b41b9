import { readFile } from 'node:fs/promises';
import { createClient, type Client } from '@fairlead/shared/contract/client';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { nodeTransport } from '@fairlead/shared/kit/http-client';
import { readSecretFile } from '@fairlead/shared/kit/secret';
import { relayFromEnvironment, relayHome } from '../config/settings.ts';

export interface GlobalFlags {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly home?: string;
  readonly url?: string;
  readonly token?: string;
}

const missing = (file: string, cause: unknown) =>
  (cause as NodeJS.ErrnoException).code === 'ENOENT'
    ? new FairleadError('relay_not_running', { detail: `There is no ${file}.`, cause })
    : (cause as Error);

const endpointOf = async (file: string): Promise<string> => {
  try {
    return (JSON.parse(await readFile(file, 'utf8')) as { url: string }).url;
  } catch (error) {
    throw missing(file, error);
  }
};

const adminTokenOf = async (file: string): Promise<string> => {
  try {
    return await readSecretFile(file);
  } catch (error) {
    throw missing(file, error);
  }
};

/** The relay that the flags, the environment or the home name, with the admin token. @throws FairleadError `relay_not_running`, `secret_exposed` */
export const connect = async (flags: GlobalFlags): Promise<Client> => {
  const environment = relayFromEnvironment();
  const home = relayHome(flags.home);
  const url = flags.url ?? environment.url ?? (await endpointOf(home.endpoint));
  const token = flags.token ?? environment.token ?? (await adminTokenOf(home.adminToken));
  return createClient({
    url: url.replace(/\/$/, ''),
    prefix: '/api/v2',
    token,
    transport: nodeTransport({ unreachable: 'relay_not_running' }),
  });
};
