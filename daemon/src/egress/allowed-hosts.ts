import { isIP } from 'node:net';
import { FairleadError } from '@fairlead/shared/contract/errors';

/** A host and port that something wants to reach. */
export interface Destination {
  /** In lower case, without a final dot; an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
}

const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);
const WEB_PORTS: readonly number[] = [443, 80];

/** Reads a host name or address as a request writes it; undefined when it is none. Names in other scripts come as punycode. */
const readHost = (text: string): string | undefined => {
  const bracketed = /^\[([0-9a-f:.]+)\]$/i.exec(text)?.[1];
  if (bracketed !== undefined) return isIP(bracketed) === 6 ? bracketed.toLowerCase() : undefined;
  const host = text.toLowerCase().replace(/\.$/, '');
  return host.length <= 253 && NAME.test(host) ? host : undefined;
};

/** Reads `host:port`, or `host` where a port is given by the scheme. Undefined when it is neither. */
export const readDestination = (text: string, schemePort?: number): Destination | undefined => {
  const [, name = '', digits] = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = readHost(name);
  const port = digits === undefined ? schemePort : Number(digits);
  return host !== undefined && port !== undefined && port > 0 && port < 65_536 ? { host, port } : undefined;
};

interface Pattern {
  readonly host: string;
  /** Every name below `host`, and not `host` itself. */
  readonly below: boolean;
  readonly ports: readonly number[];
}

const readPattern = (text: string, at: number): Pattern => {
  const below = text.startsWith('*.');
  const found = readDestination(below ? text.slice(2) : text, WEB_PORTS[0]);
  if (!found || (below && isIP(found.host) !== 0)) {
    throw new FairleadError('config_invalid', {
      field: `hosts[${at}]`,
      rule: 'a host name, *.name, or either with :port',
      detail: `${text.slice(0, 100)} is not a host that can be allowed.`,
    });
  }
  return { host: found.host, below, ports: /:\d+$/.test(text) ? [found.port] : WEB_PORTS };
};

/** Why a destination is not allowed; undefined when it is. */
export type HostRule = (destination: Destination) => 'host_not_listed' | 'port_not_listed' | undefined;

/** Any host on the ports of the web. */
export const anyHost: HostRule = ({ port }) => (WEB_PORTS.includes(port) ? undefined : 'port_not_listed');

/**
 * Only listed hosts: exact names, `*.example.org` for every name below it, on ports 443 and 80 unless a port is named.
 * @throws FairleadError `config_invalid`
 */
export const listedHosts = (hosts: readonly string[]): HostRule => {
  const patterns = hosts.map(readPattern);
  return ({ host, port }) => {
    const named = patterns.filter((pattern) => (pattern.below ? host.endsWith(`.${pattern.host}`) : host === pattern.host));
    if (named.length === 0) return 'host_not_listed';
    return named.some(({ ports }) => ports.includes(port)) ? undefined : 'port_not_listed';
  };
};
