import type { PermissionPolicy } from './request.ts';
import type { RuleId } from './rules.ts';

/** Names that lead to this machine or its neighbours whatever a resolver says. */
const PRIVATE_NAME =
  /(?:^|\.)(?:localhost|local|internal|intranet|lan|home|corp|home\.arpa|localdomain)\.?$|^metadata(?:\.google)?$|^(?:host|gateway)\.docker\.|nip\.io$|sslip\.io$|localtest\.me$|lvh\.me$/;

const octetsOf = (host: string): number[] | undefined => {
  const octets = /^(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(host)?.slice(1).map(Number);
  return octets?.every((one) => one <= 255) ? octets : undefined;
};

const isPrivateV4 = ([a, b, c]: readonly number[]): boolean =>
  a === 0 ||
  a === 10 ||
  a === 127 ||
  (a === 100 && b! >= 64 && b! <= 127) ||
  (a === 169 && b === 254) ||
  (a === 172 && b! >= 16 && b! <= 31) ||
  (a === 192 && (b === 168 || (b === 0 && (c === 0 || c === 2)) || (b === 88 && c === 99))) ||
  (a === 198 && (b === 18 || b === 19 || (b === 51 && c === 100))) ||
  (a === 203 && b === 0 && c === 113) ||
  a! >= 224;

/** The eight groups of an IPv6 address that a URL parser has normalised, without its brackets. */
const groupsOf = (host: string): number[] | undefined => {
  const halves = host.split('::');
  if (!/^[0-9a-f:.]+$/.test(host) || !host.includes(':') || halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':').map((group) => Number.parseInt(group, 16))));
  const gap = halves.length === 2 ? Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => 0) : [];
  return [...head, ...gap, ...tail];
};

const isPrivateV6 = (groups: readonly number[]): boolean => {
  const [first = 0, second = 0] = groups;
  // Only 2000::/3 is the public internet; of it, 6to4, Teredo, NAT64 and documentation lead back to IPv4 or nowhere.
  if (first < 0x2000 || first > 0x3fff) return true;
  return first === 0x2002 || (first === 0x2001 && (second < 0x200 || second === 0xdb8));
};

/**
 * Whether a host, as a URL parser writes it, is of this machine or of a private network, by its text alone. A public name that resolves to a
 * private address is for the proxy to refuse, which resolves.
 */
export const isPrivateHost = (host: string): boolean => {
  const name = host.toLowerCase();
  if (name.startsWith('[')) {
    const groups = groupsOf(name.slice(1, -1));
    return groups === undefined || isPrivateV6(groups);
  }
  const octets = octetsOf(name.replace(/\.$/, ''));
  if (octets) return isPrivateV4(octets);
  // A name without a dot is one of the local network.
  return PRIVATE_NAME.test(name) || !name.replace(/\.$/, '').includes('.');
};

const isListed = (host: string, hosts: readonly string[]): boolean =>
  hosts.some((listed) => {
    const wanted = listed.toLowerCase();
    return wanted.startsWith('*.') ? host.endsWith(wanted.slice(1)) : host === wanted;
  });

/** The host that a URL names, as a parser writes it: lower case, numbers as dotted addresses. Undefined for what is no URL. */
const parsedUrl = (text: string): URL | undefined => {
  // A parser drops line breaks and blanks, and what a person reads then is not what is asked.
  if (/[\s\p{Cc}\\]/u.test(text)) return undefined;
  try {
    return new URL(/^[a-z][a-z0-9+.-]*:/i.test(text) && !/^[\w.-]+:\d/.test(text) ? text : `http://${text}`);
  } catch {
    return undefined;
  }
};

/** Rules that apply to fetching a URL under a network setting; `net.fetch` alone where nothing is against it. */
export const judgeUrl = (text: string, network: PermissionPolicy['network']): RuleId[] => {
  const url = parsedUrl(text);
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') return ['net.scheme'];
  const found: RuleId[] = [];
  if (url.username !== '' || url.password !== '') found.push('net.credentials');
  if (isPrivateHost(url.hostname)) found.push('net.private_range');
  if (network === 'none') found.push('net.none');
  else if (network !== 'open' && !isListed(url.hostname.replace(/\.$/, ''), network.hosts)) found.push('net.host_not_listed');
  return found.length > 0 ? found : ['net.fetch'];
};
