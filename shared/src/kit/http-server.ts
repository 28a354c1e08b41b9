import { isUtf8 } from 'node:buffer';
import http, { type IncomingHttpHeaders, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { FairleadError } from '../contract/errors.ts';
import { fromHttp, methodOf, pathOf } from '../contract/http.ts';
import { parseStrictJson } from '../contract/json.ts';
import { LIMITS } from '../contract/limits.ts';
import type { Operation } from '../contract/operations/operation.ts';
import { randomBytes, systemClock } from './clock.ts';

/** One HTTP request as handlers see it. */
export interface RequestContext {
  /** Stands in the problem document and in the log. */
  readonly id: string;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The address of the other end of the socket. */
  readonly address: string;
  /** Aborted when the caller hangs up before the answer is complete. */
  readonly signal: AbortSignal;
}

/** An answer that is not a value to be written as JSON: bytes, a stream, or JSON text that somebody else has made. */
export class RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | AsyncIterable<Uint8Array | string>;

  constructor(body: RawAnswer['body'], { status = 200, headers = {} }: { readonly status?: number; readonly headers?: Readonly<Record<string, string>> } = {}) {
    this.body = body;
    this.status = status;
    this.headers = headers;
  }
}

/** JSON text or bytes that are handed on as they came. */
export const rawJson = (body: string | Uint8Array, status = 200): RawAnswer => new RawAnswer(body, { status, headers: { 'content-type': 'application/json' } });

/** Serves one operation. The input is put together but not validated (`readInput`); the answer is a JSON value or a RawAnswer. */
export type Handle = (row: Operation, rawInput: Record<string, unknown>, context: RequestContext) => Promise<unknown>;

export interface Mount {
  readonly prefix: string;
  readonly rows: readonly Operation[];
  readonly handle: Handle;
}

export interface ServerParts {
  readonly mounts: readonly Mount[];
  /** Further exact paths, such as `GET /healthz`. The answer is a JSON value or a RawAnswer. */
  readonly routes?: Readonly<Record<string, (context: RequestContext) => unknown>>;
  /** Paths that are served by a listener of their own, such as `/mcp`; `check` has passed then. */
  readonly listeners?: Readonly<Record<string, RequestListener>>;
  /** Looks at every request first, as `checkHostAndOrigin` does. */
  readonly check?: (context: RequestContext) => void;
  /** Hears of every error before it is answered; what is no FairleadError is answered as `internal`. */
  readonly failed?: (error: unknown, context: RequestContext) => void;
}

/** On every answer: nothing is cached or sniffed. */
const JSON_HEADERS: Readonly<Record<string, string>> = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
/** On every answer that a browser might show: nothing in it is framed or run. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  ...JSON_HEADERS,
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'referrer-policy': 'no-referrer',
};

/** An error as an HTTP answer; anything that is no FairleadError becomes `internal` without details. */
export const problemResponse = (error: unknown, requestId: string): RawAnswer => {
  const known = error instanceof FairleadError ? error : new FairleadError('internal', { cause: error });
  const wait = known.context.more?.['retry_after'];
  return new RawAnswer(JSON.stringify(known.toProblem(requestId)), {
    status: known.status,
    headers: {
      'content-type': 'application/problem+json',
      ...(known.status === 401 && { 'www-authenticate': 'Bearer' }),
      ...((known.status === 429 || typeof wait === 'number') && { 'retry-after': String(typeof wait === 'number' ? Math.ceil(wait) : 1) }),
    },
  });
};

/** The token of `Authorization: Bearer`. @throws FairleadError `unauthenticated` */
export const bearerOf = (headers: IncomingHttpHeaders): string => {
  const match = /^Bearer ([A-Za-z0-9._~+/=-]{1,400})$/i.exec(headers.authorization ?? '');
  if (!match) throw new FairleadError('unauthenticated');
  return match[1]!;
};

/** The Idempotency-Key header, if there is one. @throws FairleadError `invalid_input` when it is not 1 to 200 printable ASCII characters */
export const idempotencyKeyOf = (headers: IncomingHttpHeaders): string | undefined => {
  const key = headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key === 'string' && /^[\x21-\x7e]{1,200}$/.test(key)) return key;
  throw new FairleadError('invalid_input', { field: 'Idempotency-Key', rule: 'must be 1 to 200 printable ASCII characters', detail: 'The Idempotency-Key header must be 1 to 200 printable ASCII characters.' });
};

const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i;

/**
 * Refuses requests that a web page could have been tricked into sending: a Host that is not ours (DNS rebinding) and an Origin that
 * nobody listed. Loopback names always count as ours.
 * @throws FairleadError `host_denied`, `origin_denied`
 */
export const checkHostAndOrigin = (headers: IncomingHttpHeaders, allowed: { readonly hosts?: readonly string[]; readonly origins?: readonly string[] } = {}): void => {
  const host = headers.host ?? '';
  if (!LOOPBACK.test(host) && !allowed.hosts?.some((name) => host.toLowerCase() === name.toLowerCase() || host.toLowerCase().replace(/:\d+$/, '') === name.toLowerCase())) {
    throw new FairleadError('host_denied');
  }
  if (headers.origin !== undefined && !allowed.origins?.includes(headers.origin)) throw new FairleadError('origin_denied');
};

const collect = (request: IncomingMessage, limit: number): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const tooLarge = () => new FairleadError('payload_too_large', { rule: `at most ${limit} bytes`, detail: `The body is larger than ${limit} bytes.` });
    if (Number(request.headers['content-length'] ?? 0) > limit) return reject(tooLarge());
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) {
        request.pause();
        reject(tooLarge());
      } else chunks.push(chunk);
    });
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    request.on('error', reject);
    request.on('close', () => reject(new FairleadError('invalid_input', { detail: 'The body ended early.' })));
  });

/**
 * Reads a JSON body with the strict parser. An empty body is an empty object.
 * @param limit in bytes
 * @throws FairleadError `payload_too_large`, `malformed_json`, `invalid_input` for another content type
 */
export const readJsonBody = async (request: IncomingMessage, limit: number = LIMITS.request_body.value): Promise<unknown> => {
  const bytes = await collect(request, limit);
  if (bytes.length === 0) return {};
  // Insisting on the type keeps web pages out: they cannot send it without asking first.
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw new FairleadError('invalid_input', { field: 'Content-Type', rule: 'must be application/json', detail: 'The Content-Type must be application/json.' });
  }
  if (!isUtf8(bytes)) throw new FairleadError('malformed_json', { rule: 'must be UTF-8', detail: 'The body is not UTF-8.' });
  return parseStrictJson(bytes.toString('utf8'));
};

interface Node {
  readonly next: Map<string, Node>;
  parameter?: Node;
  readonly rows: Map<string, { readonly row: Operation; readonly names: readonly string[]; readonly handle: Handle }>;
}

const newNode = (): Node => ({ next: new Map(), rows: new Map() });

/** Routes as a tree of path segments; a literal segment goes before a parameter. */
const plant = (mounts: readonly Mount[]): Node => {
  const root = newNode();
  for (const { prefix, rows, handle } of mounts) {
    for (const row of rows) {
      const names: string[] = [];
      let node = root;
      for (const segment of `${prefix}${pathOf(row)}`.split('/').slice(1)) {
        if (segment.startsWith(':')) {
          names.push(segment.slice(1));
          node = node.parameter ??= newNode();
        } else {
          const next: Node = node.next.get(segment) ?? newNode();
          node.next.set(segment, next);
          node = next;
        }
      }
      if (node.rows.has(methodOf(row))) throw new TypeError(`two operations are served at ${row.route}`);
      node.rows.set(methodOf(row), { row, names, handle });
    }
  }
  return root;
};

const find = (root: Node, path: string): { readonly node: Node; readonly values: readonly string[] } | undefined => {
  const values: string[] = [];
  let node: Node | undefined = root;
  for (const segment of path.split('/').slice(1)) {
    const literal: Node | undefined = node.next.get(segment);
    if (literal) node = literal;
    else {
      node = node.parameter;
      if (!node || segment === '') return undefined;
      try {
        values.push(segment.includes('%') ? decodeURIComponent(segment) : segment);
      } catch {
        return undefined;
      }
    }
  }
  return { node, values };
};

const NO_QUERY = new URLSearchParams();
const BOOT = randomBytes(5).toString('hex');
let count = 0;

/** The request with its place in the world; the abort signal is only made when somebody asks for it. */
class Context implements RequestContext {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #controller: AbortController | undefined;

  constructor(request: IncomingMessage, response: ServerResponse, path: string) {
    this.id = `req_${BOOT}${(++count).toString(36)}`;
    this.method = request.method ?? 'GET';
    this.path = path;
    this.headers = request.headers;
    this.#request = request;
    this.#response = response;
  }

  get address(): string {
    return this.#request.socket.remoteAddress ?? '';
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      const made = (this.#controller = new AbortController());
      const response = this.#response;
      const gone = () => {
        if (!response.writableFinished) made.abort(new FairleadError('deadline_exceeded', { detail: 'The caller hung up.' }));
      };
      if (response.closed) gone();
      else response.once('close', gone);
    }
    return this.#controller.signal;
  }
}

const isWhole = (body: RawAnswer['body']): body is string | Uint8Array => typeof body === 'string' || body instanceof Uint8Array;

const send = async (response: ServerResponse, answer: RawAnswer, context: RequestContext, close: boolean): Promise<void> => {
  const { body, status } = answer;
  const inert = answer.headers['content-type'] === 'application/json' ? JSON_HEADERS : SECURITY_HEADERS;
  const headers = { ...inert, 'fairlead-request': context.id, ...answer.headers, ...(close && { connection: 'close' }) };
  if (isWhole(body)) {
    response.writeHead(status, { ...headers, 'content-length': String(Buffer.byteLength(body)) });
    response.end(body);
    return;
  }
  response.writeHead(status, headers);
  response.flushHeaders();
  const { signal } = context;
  for await (const chunk of body) {
    if (signal.aborted) return;
    if (!response.write(chunk)) {
      await new Promise<void>((resolve) => {
        const go = () => {
          response.off('drain', go);
          response.off('close', go);
          resolve();
        };
        response.on('drain', go);
        response.on('close', go);
      });
    }
  }
  response.end();
};

const jsonAnswer = (value: unknown): RawAnswer => (value instanceof RawAnswer ? value : rawJson(JSON.stringify(value) ?? 'null'));

const routed = async (root: Node, parts: ServerParts, request: IncomingMessage, context: RequestContext, query: string): Promise<unknown> => {
  const method = context.method === 'HEAD' ? 'GET' : context.method;
  const plain = parts.routes?.[`${method} ${context.path}`];
  if (plain) return plain(context);
  const found = find(root, context.path);
  if (!found || found.node.rows.size === 0) throw new FairleadError('not_found');
  const served = found.node.rows.get(method);
  if (!served) throw new FairleadError('method_not_allowed', { more: { allowed: [...found.node.rows.keys()] } });
  const params: Record<string, string> = {};
  served.names.forEach((name, index) => {
    params[name] = found.values[index]!;
  });
  const body = method === 'POST' ? await readJsonBody(request) : undefined;
  const raw = fromHttp(served.row, { params, query: query === '' ? NO_QUERY : new URLSearchParams(query), body });
  return served.handle(served.row, raw, context);
};

/**
 * The request listener of a part: routes from the operations table, errors as problem documents, unknown paths as `not_found`, wrong
 * methods as `method_not_allowed`. It sits directly on node:http, because the path through all parts is measured.
 */
export const requestListener = (parts: ServerParts): RequestListener => {
  const root = plant(parts.mounts);
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    const path = mark < 0 ? url : url.slice(0, mark);
    const context = new Context(request, response, path);
    let result: RawAnswer;
    try {
      parts.check?.(context);
      const listener = parts.listeners?.[path];
      if (listener) return listener(request, response);
      result = jsonAnswer(await routed(root, parts, request, context, mark < 0 ? '' : url.slice(mark + 1)));
    } catch (error) {
      parts.failed?.(error, context);
      result = problemResponse(error, context.id);
      if (error instanceof FairleadError && error.code === 'method_not_allowed') {
        result = new RawAnswer(result.body, { status: result.status, headers: { ...result.headers, allow: String(error.context.more?.['allowed']) } });
      }
    }
    if (response.destroyed) return;
    try {
      // A body that was not read to its end must not be taken for the next request.
      await send(response, result, context, !request.complete && context.method === 'POST');
    } catch (error) {
      // The head is out, so all that can be said is that the answer broke off.
      parts.failed?.(error, context);
      response.destroy();
    }
  };
  return (request, response) => void answer(request, response);
};

export interface Listening {
  /** Such as `http://127.0.0.1:8085`. */
  readonly url: string;
  readonly port: number;
  readonly server: Server;
  /** Takes no more, lets what is under way end for at most `grace` milliseconds, then closes what is left. */
  close(grace?: number): Promise<void>;
}

/**
 * Starts a server.
 * @param at.port 0 takes a free one
 * @throws FairleadError `port_in_use`, `config_invalid` when the host or port cannot be bound at all
 */
export const listen = (listener: RequestListener, { host, port }: { readonly host: string; readonly port: number }): Promise<Listening> =>
  new Promise((resolve, reject) => {
    const server = http.createServer({ keepAliveTimeout: 65_000, headersTimeout: 15_000, requestTimeout: 120_000, noDelay: true }, listener);
    const sockets = new Set<Socket>();
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') reject(new FairleadError('port_in_use', { field: 'port', detail: `Port ${port} on ${host} is in use.` }));
      else reject(new FairleadError('config_invalid', { field: 'host', detail: `Cannot listen on ${host}:${port} (${error.code}).`, cause: error }));
    });
    server.listen({ host, port }, () => {
      const bound = (server.address() as AddressInfo).port;
      const shown = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host;
      resolve({ url: `http://${shown}:${bound}`, port: bound, server, close: (grace = 5000) => closeServer(server, sockets, grace) });
    });
  });

/** How often a closing server lets go of connections whose last answer has gone out, in milliseconds. */
const SWEEP = 20;

/** Lets what is under way end; a connection that waits for its next request, or never sent one, would hold the server open for nothing. */
const closeServer = (server: Server, sockets: ReadonlySet<Socket>, grace: number): Promise<void> =>
  new Promise((resolve) => {
    let cancelSweep = () => {};
    const sweep = () => {
      server.closeIdleConnections();
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      cancelSweep = systemClock.after(SWEEP, sweep);
    };
    const cancelGrace = systemClock.after(grace, () => server.closeAllConnections());
    server.close(() => {
      cancelSweep();
      cancelGrace();
      resolve();
    });
    sweep();
  });
