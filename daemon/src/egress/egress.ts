import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Confinement } from '@fairlead/shared/contract/states';
import { randomBytes, systemClock, type Clock } from '@fairlead/shared/kit/clock';
import type { Forward } from '../process/confined.ts';
import { anyHost, listedHosts, type HostRule } from './allowed-hosts.ts';
import { systemResolve, type Resolve } from './dial.ts';
import { gateway, type Gateway, type Route } from './gateway.ts';
import { listenAt, type Serving, type WayIn } from './listening.ts';
import { forwardProxy } from './proxy.ts';
import { countTraffic, type Refusal, type Traffic, type TrafficSummary } from './traffic.ts';

/** Which hosts the work may reach by itself. Gateway routes are apart from it. */
export type NetworkRule =
  | { readonly mode: 'none' }
  /** Exact names and `*.name`, ports 443 and 80 unless written as `host:port`. */
  | { readonly mode: 'listed'; readonly hosts: readonly string[] }
  /** Every public host on ports 443 and 80. */
  | { readonly mode: 'open' };

export interface EgressOptions {
  readonly network: NetworkRule;
  readonly routes?: readonly Route[];
  /** Also listen on the loopback of this machine, behind tokens: for work without a network of its own. */
  readonly loopback?: boolean;
  /** Folder in which the private folder with the sockets is made. Where its path is too long for a socket, the system's is taken. */
  readonly folder?: string;
  /** Hears of refused connections and requests, the first `LIMITS.egress_refusals` one by one. Refused actions are evidence. */
  readonly refused: (refusal: Refusal) => void;
  readonly resolve?: Resolve;
  readonly clock?: Clock;
  /** Which addresses the proxy may connect to. By default public ones; tests, which have none, say otherwise. */
  readonly isAllowed?: (address: string) => boolean;
}

/** How work of one kind of confinement reaches its way out. */
export interface Reached {
  /** For `ConfinedOrder.network`. */
  readonly forwards: readonly Forward[];
  /** Undefined when the network is `none`. */
  readonly proxy_url: string | undefined;
  /** The variables by which programs find the proxy; empty when there is none. */
  readonly proxy_env: Readonly<Record<string, string>>;
  /** The base URL of a route, without a final slash. @throws TypeError for a route that there is not */
  gateway_url(name: string): string;
}

/** The way out of one attempt. */
export interface Egress {
  /**
   * For work of this confinement: through ports of its own loopback, or where it is `unconfined` through tokens on that of this
   * machine. @throws TypeError when `loopback` was not asked for
   */
  reachedBy(kind: Confinement): Reached;
  /** What passed so far, also after the end. */
  summary(): TrafficSummary;
  /** Ends every connection and removes the sockets. */
  close(): Promise<void>;
}

/** On the loopback of a sandbox. */
const PROXY_PORT = 3128;
/** The path of a unix socket has 108 bytes at most on Linux and 104 on macOS, with its end. */
const SOCKET_PATH = 103;
const NAME_ROOM = '/fairlead-XXXXXX/00.sock'.length;

const ruleOf = (network: NetworkRule): HostRule | undefined => {
  if (network.mode === 'none') return undefined;
  return network.mode === 'open' ? anyHost : listedHosts(network.hosts);
};

const privateFolder = (wanted: string | undefined): Promise<string> => {
  const candidates = [wanted, tmpdir(), '/tmp'].filter((folder) => folder !== undefined);
  const folder = candidates.find((path) => Buffer.byteLength(path) + NAME_ROOM <= SOCKET_PATH) ?? '/tmp';
  return mkdtemp(join(folder, 'fairlead-'));
};

const proxyEnv = (url: string | undefined): Record<string, string> => {
  if (url === undefined) return {};
  const none = '127.0.0.1,localhost';
  // Half of all programs look for the one spelling, half for the other; Node looks for either only when it is told to.
  return { HTTP_PROXY: url, http_proxy: url, HTTPS_PROXY: url, https_proxy: url, NO_PROXY: none, no_proxy: none, NODE_USE_ENV_PROXY: '1' };
};

const checkPorts = (routes: readonly Route[]): void => {
  const taken = new Set<string | number>([PROXY_PORT]);
  for (const { name, port } of routes) {
    if (!Number.isInteger(port) || port < 1024 || port > 65_535 || taken.has(port) || taken.has(name)) {
      throw new FairleadError('config_invalid', {
        field: `routes.${name}`,
        rule: `a name and a port from 1024 to 65535 of its own, not ${PROXY_PORT}`,
        detail: `The route ${name} has a name or port that it cannot have.`,
      });
    }
    taken.add(name).add(port);
  }
};

/** One thing that is served, at each place at which it is reached. */
interface Served {
  readonly name: string;
  readonly port: number;
  readonly socket: string;
  readonly loopbackPort: number | undefined;
}

const reachedMounted = (served: readonly Served[]): Reached => {
  const urlOf = (name: string): string | undefined => {
    const one = served.find((other) => other.name === name);
    return one && `http://127.0.0.1:${one.port}`;
  };
  const proxy_url = urlOf('');
  return {
    forwards: served.map(({ port, socket }) => ({ port, socket })),
    proxy_url,
    proxy_env: proxyEnv(proxy_url),
    gateway_url: (name) => found(name === '' ? undefined : urlOf(name), name),
  };
};

const reachedByLoopback = (served: readonly Served[], token: string): Reached => {
  const portOf = (name: string): number | undefined => served.find((one) => one.name === name)?.loopbackPort;
  const proxy = portOf('');
  const proxy_url = proxy === undefined ? undefined : `http://fairlead:${token}@127.0.0.1:${proxy}`;
  return {
    forwards: [],
    proxy_url,
    proxy_env: proxyEnv(proxy_url),
    gateway_url: (name) => found(name === '' || portOf(name) === undefined ? undefined : `http://127.0.0.1:${portOf(name)}/${token}`, name),
  };
};

const found = (url: string | undefined, name: string): string => {
  if (url === undefined) throw new TypeError(`there is no route ${name}`);
  return url;
};

interface Offered {
  readonly name: string;
  readonly port: number;
  /** @param token what a caller must show */
  readonly serving: (token?: string) => Serving;
}

/** What is offered, by name; the proxy has an empty one. */
const offers = (options: EgressOptions, traffic: Traffic): { offered: Offered[]; gateways: Gateway[] } => {
  const routes = options.routes ?? [];
  checkPorts(routes);
  const gateways: Gateway[] = [];
  const offered = routes.map((route): Offered => {
    const serving = (token?: string): Serving => {
      const made = gateway(route, { traffic, ...(token !== undefined && { token }) });
      gateways.push(made);
      return made.serving;
    };
    return { name: route.name, port: route.port, serving };
  });
  const rule = ruleOf(options.network);
  const { resolve = systemResolve, clock = systemClock, isAllowed } = options;
  if (rule) {
    const parts = { rule, traffic, resolve, clock, ...(isAllowed && { isAllowed }) };
    offered.unshift({ name: '', port: PROXY_PORT, serving: (token) => forwardProxy({ ...parts, ...(token !== undefined && { token }) }) });
  }
  return { offered, gateways };
};

/**
 * Opens the way out of one attempt: a proxy that reaches what the network rule allows and never a private address, and a gateway per
 * route that adds the owner's credential, which the work itself never sees. It listens on unix sockets in a private folder.
 * @throws FairleadError `config_invalid` for a host or route that cannot be used
 */
export const createEgress = async (options: EgressOptions): Promise<Egress> => {
  const traffic = countTraffic(options.clock ?? systemClock, options.refused);
  const { offered, gateways } = offers(options, traffic);
  const token = randomBytes(24).toString('hex');
  const folder = await privateFolder(options.folder);
  const open: WayIn[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(open.map((way) => way.close()));
    for (const one of gateways) one.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const served: Served[] = [];
    for (const [at, { name, port, serving }] of offered.entries()) {
      const socket = join(folder, `${at}.sock`);
      open.push(await listenAt({ socket }, serving()));
      const loopback = options.loopback ? await listenAt('loopback', serving(token)) : undefined;
      if (loopback) open.push(loopback);
      served.push({ name, port, socket, loopbackPort: loopback?.port });
    }
    return {
      reachedBy(kind) {
        if (kind !== 'unconfined') return reachedMounted(served);
        if (!options.loopback) throw new TypeError('this way out does not listen on the loopback');
        return reachedByLoopback(served, token);
      },
      summary: () => traffic.summary(),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
};
