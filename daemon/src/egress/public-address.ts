import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';

/** Public by their number, and yet not the internet: what some clouds answer their own guests at. */
const CLOUD_INTERNAL = new Set(['168.63.129.16']);
const NAT64_LOCAL = ipaddr.IPv6.parseCIDR('64:ff9b:1::/48');
/** IPv4-compatible addresses, deprecated by RFC 4291; loopback and the unspecified address are among them. */
const IPV4_COMPATIBLE = ipaddr.IPv6.parseCIDR('::/96');

/** The IPv4 address that an IPv6 address stands for on its way through a translator or tunnel; where it is told apart at all. */
const embeddedOf = (address: ipaddr.IPv6): ipaddr.IPv4 | undefined => {
  const bytes = address.toByteArray();
  switch (address.range()) {
    case 'ipv4Mapped':
    case 'rfc6052':
      return new ipaddr.IPv4(bytes.slice(12));
    case '6to4':
      return new ipaddr.IPv4(bytes.slice(2, 6));
    default:
      return undefined;
  }
};

/** Addresses of this machine itself, in the spelling of `ipaddr.js`. What listens on one of them may mean to serve this machine only. */
const ownAddresses = (): Set<string> =>
  new Set(
    Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .map(({ address }) => ipaddr.parse(address.replace(/%.*$/, '')).toString()),
  );

const isPublicV4 = (address: ipaddr.IPv4): boolean => address.range() === 'unicast' && !CLOUD_INTERNAL.has(address.toString());

/**
 * Whether an address is one of the public internet. Everything else is refused: private, loopback, link-local (where clouds have
 * their metadata), carrier-grade NAT, multicast, reserved, this machine's own, and any of these inside an IPv6 address that stands for
 * an IPv4 one (mapped, 6to4, NAT64; Teredo always). The ranges are those of the IANA special-purpose registries.
 */
export const isPublicAddress = (text: string): boolean => {
  if (!ipaddr.isValid(text) || ownAddresses().has(ipaddr.parse(text).toString())) return false;
  const address = ipaddr.parse(text);
  if (address instanceof ipaddr.IPv4) return isPublicV4(address);
  if (address.match(NAT64_LOCAL) || address.match(IPV4_COMPATIBLE)) return false;
  const embedded = embeddedOf(address);
  if (embedded) return isPublicV4(embedded) && !ownAddresses().has(embedded.toString());
  return address.range() === 'unicast';
};
