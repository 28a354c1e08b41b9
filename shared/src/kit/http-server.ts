import { isUtf8 } from 'node:buffer';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { ReadableStream } from 'node:stream/web';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { Hono, type Context, type Handler, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
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

  constructor(
    body: RawAnswer['body'],
    { status = 200, headers = {} }: { readonly status?: number; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    this.body = body;
    this.status = status;
    this.headers = headers;
  }
}

/** On every answer: nothing is cached or sniffed. */
const INERT: Readonly<Record<string, string>> = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
/** On every answer that a browser might show: nothing in it is framed or run. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  ...INERT,
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'referrer-policy': 'no-referrer',
};
/** All headers of nearly every answer, put together once. */
const JSON_HEADERS: Readonly<Record<string, string>> = { ...INERT, 'content-type': 'application/json' };

/** JSON text or bytes that are handed on as they came. */
export const rawJson = (body: string | Uint8Array, status = 200): RawAnswer => new RawAnswer(body, { status, headers: JSON_HEADERS });

/** Puts the input of a request together, unvalidated (`readInput` does that). A body is read only now: who calls is settled before. */
export type ReadRaw = () => Record<string, unknown> | Promise<Record<string, unknown>>;

/** Serves one operation. The answer is a JSON value or a RawAnswer. */
export type Handle = (row: Operation, readRaw: ReadRaw, context: RequestContext) => Promise<unknown>;

export interface Mount {
  readonly prefix: string;
  readonly rows: readonly Operation[];
  readonly handle: Handle;
}

export interface ServerParts {
  readonly mounts: readonly Mount[];
  /** Further exact paths, such as `GET /healthz`. The answer is a JSON value or a RawAnswer. */
  readonly routes?: Readonly<Record<string, (context: RequestContext) => unknown>>;
  /** Paths that answer for themselves, whatever the method, such as `/mcp`; `check` has passed then. */
  readonly endpoints?: Readonly<Record<string, (request: Request, context: RequestContext) => Promise<Response>>>;
  /** Looks at every request first, as `checkHostAndOrigin` does. */
  readonly check?: (context: RequestContext) => void;
  /** Hears of every error before it is answered; what is no FairleadError is answered as `internal`. */
  readonly failed?: (error: unknown, context: RequestContext) => void;
  /** Hears, before it is answered, of what is refused before a handler is reached: a bad body, host, path or method. */
  readonly refused?: (error: unknown, context: RequestContext) => Promise<void>;
}

/** An error as an HTTP answer; anything that is no FairleadError becomes `internal` without details. */
export const problemResponse = (error: unknown, requestId: string): RawAnswer => {
  const known = error instanceof FairleadError ? error : new FairleadError('internal', { cause: error });
  const wait = known.context.more?.['retry_after'];
  return new RawAnswer(JSON.stringify(known.toProblem(requestId)), {
    status: known.status,
    headers: {
      'content-type': 'application/problem+json',
      ...(known.status === 401 && { 'www-authenticate': 'Bearer' }),
      ...(known.status === 405 && { allow: String(known.context.more?.['allowed']) }),
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
  throw new FairleadError('invalid_input', {
    field: 'Idempotency-Key',
    rule: 'must be 1 to 200 printable ASCII characters',
    detail: 'The Idempotency-Key header must be 1 to 200 printable ASCII characters.',
  });
};

const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i;

/**
 * Refuses requests that a web page could have been tricked into sending: a Host that is not ours (DNS rebinding) and an Origin that
 * nobody listed. Loopback names always count as ours.
 * @throws FairleadError `host_denied`, `origin_denied`
 */
export const checkHostAndOrigin = (
  headers: IncomingHttpHeaders,
  allowed: { readonly hosts?: readonly string[]; readonly origins?: readonly string[] } = {},
): void => {
  const host = headers.host ?? '';
  if (
    !LOOPBACK.test(host) &&
    !allowed.hosts?.some(
      (name) => host.toLowerCase() === name.toLowerCase() || host.toLowerCase().replace(/:\d+$/, '') === name.toLowerCase(),
    )
  ) {
    throw new FairleadError('host_denied');
  }
  if (headers.origin !== undefined && !allowed.origins?.includes(headers.origin)) throw new FairleadError('origin_denied');
};

/** The server below hono gives every request its two ends. */
type Call = Context<{ Bindings: HttpBindings }>;

const limitBody = bodyLimit({
  maxSize: LIMITS.request_body.value,
  onError() {
    const rule = `at most ${LIMITS.request_body.value} bytes`;
    throw new FairleadError('payload_too_large', { rule, detail: `The body is larger than ${LIMITS.request_body.value} bytes.` });
  },
});

/**
 * Reads a JSON body with the strict parser. An empty body is an empty object. The app has limited its size.
 * @throws FairleadError `malformed_json`, `invalid_input` for another content type
 */
export const readJsonBody = async (request: Request): Promise<unknown> => {
  const bytes = Buffer.from(await request.arrayBuffer());
  if (bytes.length === 0) return {};
  // Insisting on the type keeps web pages out: they cannot send it without asking first.
  if (!/^application\/json\s*(;|$)/i.test(request.headers.get('content-type') ?? '')) {
    throw new FairleadError('invalid_input', {
      field: 'Content-Type',
      rule: 'must be application/json',
      detail: 'The Content-Type must be application/json.',
    });
  }
  if (!isUtf8(bytes)) throw new FairleadError('malformed_json', { rule: 'must be UTF-8', detail: 'The body is not UTF-8.' });
  return parseStrictJson(bytes.toString('utf8'));
};

const BOOT = randomBytes(5).toString('hex');
let count = 0;

/** Only ever read. */
const NO_QUERY = new URLSearchParams();

/** The request with its place in the world; the abort signal is only made when somebody asks for it. */
class Asked implements RequestContext {
  readonly id = `req_${BOOT}${(++count).toString(36)}`;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly #ends: HttpBindings;
  #controller: AbortController | undefined;

  constructor(call: Call) {
    this.#ends = call.env;
    const url = call.env.incoming.url ?? '/';
    const mark = url.indexOf('?');
    this.path = mark < 0 ? url : url.slice(0, mark);
    this.query = mark < 0 ? NO_QUERY : new URLSearchParams(url.slice(mark + 1));
  }

  get method(): string {
    return this.#ends.incoming.method ?? 'GET';
  }

  get headers(): IncomingHttpHeaders {
    return this.#ends.incoming.headers;
  }

  get address(): string {
    return this.#ends.incoming.socket.remoteAddress ?? '';
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      const made = (this.#controller = new AbortController());
      const { outgoing } = this.#ends;
      const gone = () => {
        if (!outgoing.writableFinished) made.abort(new FairleadError('deadline_exceeded', { detail: 'The caller hung up.' }));
      };
      if (outgoing.closed) gone();
      else outgoing.once('close', gone);
    }
    return this.#controller.signal;
  }
}

const asAnswer = (value: unknown): RawAnswer => (value instanceof RawAnswer ? value : rawJson(JSON.stringify(value) ?? 'null'));

/** A body that comes bit by bit. When it breaks, the head is out, so all that is left is to break the connection, which `broke` does. */
async function* passed(body: AsyncIterable<Uint8Array | string>, broke: (error: unknown) => void): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
  } catch (error) {
    broke(error);
  }
}

const respond = ({ body, status, headers }: RawAnswer, context: RequestContext, broke: (error: unknown) => void): Response => {
  const common = headers['content-type'] === 'application/json' ? JSON_HEADERS : SECURITY_HEADERS;
  const isWhole = typeof body === 'string' || body instanceof Uint8Array;
  return new Response((isWhole ? body : ReadableStream.from(passed(body, broke))) as BodyInit, {
    status,
    headers: headers === common ? { ...common, 'fairlead-request': context.id } : { ...common, 'fairlead-request': context.id, ...headers },
  });
};

/** Routes are kept apart by their shape: `/things/:a` and `/things/:b` are one. */
const shapeOf = (path: string): string => path.replaceAll(/:[a-z_]+/g, ':');

/** A literal goes before a parameter, because the first route that fits is taken. */
const byShape = (a: string, b: string): number => (shapeOf(a).replaceAll(':', '\uffff') < shapeOf(b).replaceAll(':', '\uffff') ? -1 : 1);

const isDecodable = (path: string): boolean => {
  try {
    return !path.includes('%') || decodeURIComponent(path) !== '';
  } catch {
    return false;
  }
};

/**
 * The application of a part: routes from the operations table, errors as problem documents, unknown paths as `not_found`, wrong
 * methods as `method_not_allowed`. There is no middleware on the way of an operation, because the path through all parts is measured.
 */
export const createApp = (parts: ServerParts): Hono<{ Bindings: HttpBindings }> => {
  const app = new Hono<{ Bindings: HttpBindings }>();
  const failed = async (error: unknown, context: RequestContext, reached: boolean): Promise<Response> => {
    parts.failed?.(error, context);
    if (!reached) await parts.refused?.(error, context);
    return respond(problemResponse(error, context.id), context, () => {});
  };
  const serving =
    (run: (call: Call, context: Asked, reach: () => void) => unknown) =>
    async (call: Call): Promise<Response> => {
      const context = new Asked(call);
      let reached = false;
      try {
        parts.check?.(context);
        const answer = await run(call, context, () => (reached = true));
        if (answer instanceof Response) return answer;
        return respond(asAnswer(answer), context, (error) => {
          parts.failed?.(error, context);
          call.env.outgoing.destroy();
        });
      } catch (error) {
        return failed(error, context, reached);
      }
    };
  const serveRow = (row: Operation, handle: Handle) =>
    serving(async (call, context, reach) => {
      if (!isDecodable(context.path)) throw new FairleadError('not_found');
      const inputOf = (body: unknown) => fromHttp(row, { params: call.req.param(), query: context.query, body });
      reach();
      const hasBody = methodOf(row) === 'POST';
      return handle(row, () => (hasBody ? readJsonBody(call.req.raw).then(inputOf) : inputOf(undefined)), context);
    });

  const allowed = new Map<string, { path: string; methods: string[] }>();
  const add = (method: string, path: string, ...handlers: [Handler] | [MiddlewareHandler, Handler]) => {
    const known = allowed.get(shapeOf(path)) ?? { path, methods: [] };
    if (known.methods.includes(method)) throw new TypeError(`two operations are served at ${method} ${path}`);
    known.methods.push(method);
    allowed.set(shapeOf(path), known);
    app.on(method, [path], ...handlers);
  };
  const rows = parts.mounts.flatMap(({ prefix, rows: own, handle }) => own.map((row) => ({ row, path: prefix + pathOf(row), handle })));
  for (const { row, path, handle } of rows.toSorted((a, b) => byShape(a.path, b.path))) {
    const serve = serveRow(row, handle);
    if (methodOf(row) === 'POST') add('POST', path, limitBody, serve);
    else add(methodOf(row), path, serve);
  }
  for (const [route, answer] of Object.entries(parts.routes ?? {})) {
    const [method, path] = route.split(' ') as [string, string];
    add(
      method,
      path,
      serving((_, context, reach) => (reach(), answer(context))),
    );
  }
  for (const [path, answer] of Object.entries(parts.endpoints ?? {})) {
    app.all(
      path,
      limitBody,
      serving((call, context, reach) => (reach(), answer(call.req.raw, context))),
    );
  }
  for (const { path, methods } of allowed.values()) {
    app.all(
      path,
      serving(() => {
        throw new FairleadError('method_not_allowed', { more: { allowed: methods } });
      }),
    );
  }
  app.notFound(
    serving(() => {
      throw new FairleadError('not_found');
    }),
  );
  app.onError((error, call) => failed(error, new Asked(call), false));
  return app;
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
export const listen = (
  app: Pick<Hono<{ Bindings: HttpBindings }>, 'fetch'>,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<Listening> =>
  new Promise((resolve, reject) => {
    const server = createServer(
      { keepAliveTimeout: 65_000, headersTimeout: 15_000, requestTimeout: 120_000, noDelay: true },
      getRequestListener(app.fetch),
    );
    const sockets = new Set<Socket>();
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE')
        reject(new FairleadError('port_in_use', { field: 'port', detail: `Port ${port} on ${host} is in use.` }));
      else
        reject(
          new FairleadError('config_invalid', { field: 'host', detail: `Cannot listen on ${host}:${port} (${error.code}).`, cause: error }),
        );
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
