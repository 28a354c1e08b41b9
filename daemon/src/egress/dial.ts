import { lookup } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';
import { LIMITS } from '@fairlead/shared/contract/limits';
import type { Clock } from '@fairlead/shared/kit/clock';
import type { Destination } from './allowed-hosts.ts';
import { isPublicAddress } from './public-address.ts';

/** Finds all addresses of a name, as the machine's own resolver does. */
export type Resolve = (host: string) => Promise<readonly string[]>;

export const systemResolve: Resolve = async (host) => (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address);

/** A connection, or why there is none. */
export type Dialled =
  | { readonly socket: Socket }
  | { readonly refused: 'private_address' | 'name_not_found' }
  | { readonly failed: 'timed_out' | 'not_reached' };

const within = async <T>(clock: Clock, ms: number, work: Promise<T>): Promise<T | undefined> => {
  const stop = new AbortController();
  const late = clock.sleep(ms, stop.signal).catch(() => undefined);
  const first = await Promise.race([work, late]).finally(() => stop.abort());
  return first as T | undefined;
};

const addressesOf = async (host: string, resolve: Resolve): Promise<readonly string[]> => {
  if (isIP(host) !== 0) return [host];
  try {
    return await resolve(host);
  } catch {
    return [];
  }
};

/** Connects to one of these addresses and to nothing else; which of them answers first is Node's to find out. */
const connectTo = (addresses: readonly string[], { host, port }: Destination): Socket => {
  const [first = ''] = addresses;
  const all = addresses.map((address) => ({ address, family: isIP(address) }));
  return connect({
    // A name that is an address is not looked up, so the checked address itself is given then.
    host: isIP(host) === 0 ? host : first,
    port,
    allowHalfOpen: true,
    noDelay: true,
    autoSelectFamily: true,
    lookup: (_host, options, found) => (options.all ? found(null, all) : found(null, first, isIP(first))),
  });
};

const whenConnected = (socket: Socket): Promise<boolean> =>
  new Promise((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });

export interface DialParts {
  readonly clock: Clock;
  readonly resolve: Resolve;
  /** Which addresses may be connected to. */
  readonly isAllowed?: (address: string) => boolean;
}

/**
 * Resolves a name once, refuses it when any of its addresses is not public, and connects to exactly what it checked. A name that
 * answers differently the next time leads nowhere else, because there is no next time. Never rejects.
 */
export const dial = async (destination: Destination, { clock, resolve, isAllowed = isPublicAddress }: DialParts): Promise<Dialled> => {
  const addresses = await within(clock, LIMITS.egress_connect.value, addressesOf(destination.host, resolve));
  if (addresses === undefined) return { failed: 'timed_out' };
  if (addresses.length === 0) return { refused: 'name_not_found' };
  if (!addresses.every(isAllowed)) return { refused: 'private_address' };
  const socket = connectTo(addresses, destination);
  const connected = await within(clock, LIMITS.egress_connect.value, whenConnected(socket));
  if (connected) return { socket };
  socket.destroy();
  return { failed: connected === undefined ? 'timed_out' : 'not_reached' };
};
