import { request as requestHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { readDestination, type Destination, type HostRule } from './allowed-hosts.ts';
import { dial, type DialParts } from './dial.ts';
import { answer, joinSockets, passOn } from './forwarding.ts';
import { passedHeaders } from './headers.ts';
import type { Serving } from './listening.ts';
import { sameSecret } from './token.ts';
import type { RefusalReason, Traffic } from './traffic.ts';

export interface ProxyParts extends DialParts {
  readonly rule: HostRule;
  readonly traffic: Traffic;
  /** What `Proxy-Authorization` must carry; without it whoever reaches the socket is let in. */
  readonly token?: string;
}

const WORDS: Readonly<Record<RefusalReason, string>> = {
  host_not_listed: 'This host is not one that the work may reach',
  port_not_listed: 'This port is not one that the work may reach',
  private_address: 'This name leads to an address that is not public',
  name_not_found: 'This name leads to no address',
  bad_request: 'This is not a request that is passed on',
  not_authorised: 'This way out belongs to other work',
  too_many_connections: 'Too many connections at the same time',
};

const STATUS: Readonly<Partial<Record<RefusalReason, number>>> = { bad_request: 400, not_authorised: 407, name_not_found: 502 };

/** The words of a refusal for the asker. */
export const refusalText = (reason: RefusalReason): string => `Refused: ${WORDS[reason]}`;

/** Lets in, checks and dials; answers the connection or says why there is none. */
const reach = async (
  parts: ProxyParts,
  request: IncomingMessage,
  asked: string,
  destination: Destination | undefined,
): Promise<{ socket: Socket } | { status: number; text: string; reason?: RefusalReason }> => {
  const refuse = (reason: RefusalReason) => {
    parts.traffic.refuse(destination?.host ?? asked, destination?.port ?? 0, reason);
    return { status: STATUS[reason] ?? 403, text: refusalText(reason), reason };
  };
  if (parts.token !== undefined && !sameSecret(request.headers['proxy-authorization'] ?? '', basicOf(parts.token)))
    return refuse('not_authorised');
  if (!destination) return refuse('bad_request');
  const notListed = parts.rule(destination);
  if (notListed) return refuse(notListed);
  const dialled = await dial(destination, parts);
  if ('socket' in dialled) return dialled;
  if ('refused' in dialled) return refuse(dialled.refused);
  return dialled.failed === 'timed_out'
    ? { status: 504, text: 'The host did not answer in time' }
    : { status: 502, text: 'The host could not be reached' };
};

/** What a client sends that was given `http://fairlead:<token>@…` as its proxy. */
const basicOf = (token: string): string => `Basic ${Buffer.from(`fairlead:${token}`).toString('base64')}`;

const STATUS_LINES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  407: 'Proxy Authentication Required',
  502: 'Bad Gateway',
  504: 'Gateway Timeout',
};

const answerRaw = (socket: Duplex, status: number, text: string, reason: string | undefined): void => {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_LINES[status]}`,
    'content-type: text/plain; charset=utf-8',
    `content-length: ${Buffer.byteLength(`${text}\n`)}`,
    'connection: close',
    ...(status === 407 ? ['proxy-authenticate: Basic realm="fairlead"'] : []),
    ...(reason === undefined ? [] : [`x-fairlead-refused: ${reason}`]),
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${text}\n`);
};

const tunnel = async (parts: ProxyParts, request: IncomingMessage, near: Duplex, head: Buffer): Promise<void> => {
  near.on('error', () => near.destroy());
  const asked = request.url ?? '';
  const destination = readDestination(asked);
  const reached = await reach(parts, request, asked, destination);
  if (!('socket' in reached)) return answerRaw(near, reached.status, reached.text, reached.reason);
  const { socket: far } = reached;
  if (near.destroyed) return void far.destroy();
  const counted = parts.traffic.reach(destination!.host, destination!.port);
  near.write('HTTP/1.1 200 Connection established\r\n\r\n');
  if (head.length > 0) near.unshift(head);
  joinSockets(near, far, counted);
};

/** Reads the absolute form of a plain HTTP request. TLS is what tunnels are for. */
const readAbsolute = (url: string): { destination: Destination; authority: string; path: string } | undefined => {
  const [, authority = '', path = ''] = /^http:\/\/([^/?#@\\\s]+)([/?][^#\s]*)?$/i.exec(url) ?? [];
  const destination = readDestination(authority, 80);
  return destination && { destination, authority, path: path.startsWith('/') ? path : `/${path}` };
};

const passPlain = async (parts: ProxyParts, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const asked = request.url ?? '';
  const found = readAbsolute(asked);
  const reached = await reach(parts, request, asked, found?.destination);
  if (!('socket' in reached)) return answer(response, reached.status, reached.text, reached.reason);
  const { socket } = reached;
  if (response.destroyed) return void socket.destroy();
  const { destination, authority, path } = found!;
  const outgoing = requestHttp({
    createConnection: () => socket,
    method: request.method,
    path,
    // The name in the line of the request decides, whatever the Host header says.
    headers: { ...passedHeaders(request, (name) => name === 'host'), host: authority, connection: 'close' },
    setHost: false,
    maxHeaderSize: LIMITS.egress_header.value,
  });
  passOn(outgoing, { request, response, counted: parts.traffic.reach(destination.host, destination.port), hidden: () => false });
};

/** A forward proxy: CONNECT for whatever is encrypted, the absolute form for plain HTTP, and nothing else. */
export const forwardProxy = (parts: ProxyParts): Serving => ({
  request: (request, response) => void passPlain(parts, request, response),
  connect: (request, socket, head) => void tunnel(parts, request, socket, head),
  dropped: () => parts.traffic.refuse('', 0, 'too_many_connections'),
});
