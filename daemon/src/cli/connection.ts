import { createClient, type Client } from '@fairlead/shared/contract/client';
import { randomBytes } from '@fairlead/shared/kit/clock';
import { nodeTransport } from '@fairlead/shared/kit/http-client';
import type { DaemonHome } from '../config/home.ts';
import { addressOf } from './endpoint.ts';

/** A new idempotency key: one for each command that a person gives. */
export const newKey = (): string => `cli-${randomBytes(16).toString('base64url')}`;

/** The typed client of a daemon. @throws FairleadError as `addressOf` does */
export const connect = async (
  home: DaemonHome,
  named: { readonly url: string | undefined; readonly token: string | undefined },
): Promise<Client> =>
  createClient({ ...(await addressOf(home, named)), prefix: '/api/v1', transport: nodeTransport({ unreachable: 'daemon_not_running' }) });
