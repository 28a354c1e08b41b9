import {
  Agent,
  request as requestHttp,
  validateHeaderName,
  validateHeaderValue,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { Agent as TlsAgent, request as requestHttps } from 'node:https';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { systemClock } from '@fairlead/shared/kit/clock';
import { answer, passOn } from './forwarding.ts';
import { passedHeaders } from './headers.ts';
import type { Serving } from './listening.ts';
import { refusalText } from './proxy.ts';
import { sameSecret } from './token.ts';
import type { Traffic } from './traffic.ts';

/** A base URL for an agent behind which the credential of its owner is added. */
export interface Route {
  readonly name: string;
  /** On the loopback of the sandbox. */
  readonly port: number;
  /** `https://host[/base]`; plain `http:` only to this machine. What the agent asks for is appended to it. */
  readonly upstream: string;
  /** Added to each request in place of what the agent sends under these names. Values are secrets. */
  readonly headers: Readonly<Record<string, string>>;
  /** Hears of each answer as it begins. */
  readonly answered?: (answer: RouteAnswer) => void;
}

/** What an upstream answered, by its head. */
export interface RouteAnswer {
  readonly status: number;
  /** In how many ms the upstream asks to come back, where it says so. */
  readonly wait_ms: number | undefined;
  /** Whether it comes bit by bit, as what a model says does. */
  readonly streamed: boolean;
}

/** What `Retry-After` says, in ms: seconds, or a date. Undefined when it says nothing usable. */
const waitOf = (told: string | undefined, now: number): number | undefined => {
  if (told === undefined) return undefined;
  if (/^\d{1,9}$/.test(told)) return Number(told) * 1000;
  const at = Date.parse(told);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
};

/** Where vendors look for credentials. What an agent sends there is worth nothing, or not its to send, where a route adds its own. */
const CREDENTIALS = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key', 'cookie'];

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

const invalid = (route: Route, rule: string): FairleadError =>
  new FairleadError('config_invalid', { field: `routes.${route.name}`, rule, detail: `The route ${route.name} is not valid: ${rule}.` });

/** @throws FairleadError `config_invalid`, which never holds a value of a header */
const readRoute = (route: Route): { url: URL; base: string } => {
  const url = URL.canParse(route.upstream) ? new URL(route.upstream) : undefined;
  if (!url || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw invalid(route, 'upstream must be https://host[/base]');
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && LOOPBACK.has(url.hostname)))
    throw invalid(route, 'upstream must be https, or http on this machine');
  for (const [name, value] of Object.entries(route.headers)) {
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch {
      throw invalid(route, `${name.slice(0, 40)} must be a header with a value that can be sent`);
    }
  }
  return { url, base: url.pathname.replace(/\/+$/, '') };
};

/** A path that leads out of the base once somebody tidies it up: dot segments and backslashes, however they are written. */
const LEAVES = /(?:^|[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:$|[/\\]|%2f|%5c)|\\|%5c/i;
const PATH = /^\/[\x21-\x7e]*$/;

const isPlain = (path: string): boolean => PATH.test(path) && !path.includes('#') && !LEAVES.test(path.split('?', 1)[0]!);

/** Takes the token off the front of a path; undefined when it is not there. */
const withoutToken = (path: string, token: string | undefined): string | undefined => {
  if (token === undefined) return path;
  const [, first = '', rest = '/'] = /^\/([^/?]*)(\/.*)?$/.exec(path) ?? [];
  return sameSecret(first, token) ? rest : undefined;
};

export interface GatewayParts {
  readonly traffic: Traffic;
  /** The first part of every path; without it whoever reaches the socket is let in. */
  readonly token?: string;
}

/** A reverse proxy to one upstream that adds the credential. */
export interface Gateway {
  readonly serving: Serving;
  close(): void;
}

/**
 * The upstream is fixed: a request can only say what follows its base. Redirects are passed back and not followed, so the credential
 * goes nowhere else.
 * @throws FairleadError `config_invalid`
 */
export const gateway = (route: Route, { traffic, token }: GatewayParts): Gateway => {
  const { url, base } = readRoute(route);
  const secure = url.protocol === 'https:';
  const agent = new (secure ? TlsAgent : Agent)({ keepAlive: true, maxSockets: LIMITS.egress_connections.value });
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const added = Object.fromEntries(Object.entries(route.headers).map(([name, value]) => [name.toLowerCase(), value]));
  const secrets = Object.values(added);
  const replaced = new Set(['host', ...Object.keys(added), ...(secrets.length > 0 ? CREDENTIALS : [])]);
  // A bare key is found in a header that repeats it with or without its scheme.
  const telling = secrets.flatMap((value) => [value, value.replace(/^\S+ /, '')]).filter((value) => value !== '');
  const hidden = (_name: string, values: readonly string[]): boolean =>
    values.some((value) => telling.some((secret) => value.includes(secret)));

  const refuse = (response: ServerResponse, status: number, reason: 'bad_request' | 'not_authorised'): void => {
    traffic.refuse(host, port, reason);
    answer(response, status, refusalText(reason), reason);
  };
  const pass = (request: IncomingMessage, response: ServerResponse): void => {
    const path = withoutToken(request.url ?? '', token);
    if (path === undefined) return refuse(response, 403, 'not_authorised');
    if (!isPlain(path)) return refuse(response, 400, 'bad_request');
    const outgoing = (secure ? requestHttps : requestHttp)({
      agent,
      host,
      port,
      method: request.method,
      path: base + path,
      headers: { ...passedHeaders(request, (name) => replaced.has(name)), ...added, host: url.host },
      setHost: false,
      maxHeaderSize: LIMITS.egress_header.value,
    });
    outgoing.once('response', ({ statusCode, headers }) => {
      route.answered?.({
        status: statusCode!,
        wait_ms: waitOf(headers['retry-after'], systemClock.now()),
        streamed: headers['content-type']?.startsWith('text/event-stream') ?? false,
      });
    });
    passOn(outgoing, { request, response, counted: traffic.reach(host, port), hidden });
  };
  return {
    serving: {
      request: pass,
      connect: (_request, socket) => {
        traffic.refuse(host, port, 'bad_request');
        socket.on('error', () => socket.destroy());
        socket.end('HTTP/1.1 405 Method Not Allowed\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
      },
      dropped: () => traffic.refuse(host, port, 'too_many_connections'),
    },
    close: () => agent.destroy(),
  };
};
