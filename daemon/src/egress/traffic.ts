import { LIMITS } from '@fairlead/shared/contract/limits';
import { isoTime, type Clock } from '@fairlead/shared/kit/clock';

/** Why a connection or request was refused. */
export type RefusalReason =
  | 'host_not_listed'
  | 'port_not_listed'
  | 'private_address'
  | 'name_not_found'
  | 'bad_request'
  | 'not_authorised'
  | 'too_many_connections';

/** Something that was asked for and not done. */
export interface Refusal {
  /** As it was asked for, cut to what a name can be; empty when the request named none. */
  readonly host: string;
  readonly port: number;
  readonly reason_code: RefusalReason;
  /** RFC 3339. */
  readonly at: string;
}

/** What passed to and from one host. */
export interface HostTraffic {
  readonly host: string;
  readonly port: number;
  readonly connections: number;
  readonly bytes_sent: number;
  readonly bytes_received: number;
}

export interface TrafficSummary {
  /** In the order in which they were first reached. Beyond `LIMITS.egress_hosts` all others are one row with an empty name. */
  readonly hosts: readonly HostTraffic[];
  /** All refusals, told or not. */
  readonly refused: number;
}

type Mutable = { -readonly [Key in keyof HostTraffic]: HostTraffic[Key] };

/** Counts what passes and tells what is refused. */
export interface Traffic {
  refuse(host: string, port: number, reason_code: RefusalReason): void;
  /** A new connection or request to a host; its bytes are added to the answer as they pass. */
  reach(host: string, port: number): { sent(bytes: number): void; received(bytes: number): void };
  summary(): TrafficSummary;
}

const PRINTABLE = /[^\x21-\x7e]/g;

/** @param refused is called for the first `LIMITS.egress_refusals` refusals; what it throws is its own affair */
export const countTraffic = (clock: Clock, refused: (refusal: Refusal) => void): Traffic => {
  const hosts = new Map<string, Mutable>();
  let refusals = 0;
  const rowOf = (host: string, port: number): Mutable => {
    const known = hosts.get(`${host}:${port}`);
    if (known) return known;
    const full = hosts.size >= LIMITS.egress_hosts.value;
    const key = full ? '' : `${host}:${port}`;
    const row = hosts.get(key) ?? { host: full ? '' : host, port: full ? 0 : port, connections: 0, bytes_sent: 0, bytes_received: 0 };
    hosts.set(key, row);
    return row;
  };
  return {
    refuse(host, port, reason_code) {
      refusals += 1;
      if (refusals > LIMITS.egress_refusals.value) return;
      refused({ host: host.replaceAll(PRINTABLE, '?').slice(0, 253), port, reason_code, at: isoTime(clock.now()) });
    },
    reach(host, port) {
      const row = rowOf(host, port);
      row.connections += 1;
      return { sent: (bytes) => void (row.bytes_sent += bytes), received: (bytes) => void (row.bytes_received += bytes) };
    },
    summary: () => ({ hosts: [...hosts.values()].map((row) => ({ ...row })), refused: refusals }),
  };
};
