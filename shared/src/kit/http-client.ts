import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { Transport } from '../contract/client.ts';
import type { ErrorCode } from '../contract/error-table.ts';
import { FairleadError } from '../contract/errors.ts';

export interface RawRequest {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RawResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The body as it comes; it must be read or destroyed, or its connection stays taken. */
  readonly body: IncomingMessage;
}

export interface NodeHttpOptions {
  /** Whose connections are kept open for the next request. Default: one for the process. */
  readonly agent?: http.Agent;
  /** What to say when nobody listens. */
  readonly unreachable?: Extract<ErrorCode, 'daemon_not_running' | 'relay_not_running'>;
}

const keptAlive = new http.Agent({ keepAlive: true, maxSockets: 256, scheduling: 'lifo' });

/** An agent of one's own, to be destroyed with what it belongs to. */
export const keepAliveAgent = (): http.Agent => new http.Agent({ keepAlive: true, maxSockets: 256, scheduling: 'lifo' });

/** Errors after which certainly nothing was sent. */
const NOT_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL']);

const exchange = async ({ method, url, headers, body, signal }: RawRequest, agent: http.Agent): Promise<RawResponse> => {
  const secure = url.startsWith('https:');
  // TLS is loaded by those who need it: a command that talks to its own machine starts faster without.
  const { request } = secure ? (await import('node:https')).default : http;
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const outgoing = request({ ...addressOf(url), method, headers: { ...headers, ...length }, ...(!secure && { agent }) });
    // Listening by hand costs a fraction of what node's own signal option does, and this is on the path of every operation.
    const abort = () => outgoing.destroy(signal!.reason as Error);
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort);
    outgoing.on('close', () => signal?.removeEventListener('abort', abort));
    outgoing.on('response', (response) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response }));
    outgoing.on('error', (error: NodeJS.ErrnoException) => reject(Object.assign(error, { reusedSocket: outgoing.reusedSocket })));
    outgoing.end(body);
  });
};

const origins = new Map<string, { readonly protocol: string; readonly hostname: string; readonly port: string }>();

/** The parts of an address that node asks for. A process talks to one or two origins, so those are parsed once. */
const addressOf = (url: string) => {
  const end = url.indexOf('/', url.indexOf('//') + 2);
  const origin = end < 0 ? url : url.slice(0, end);
  let parts = origins.get(origin);
  if (!parts) {
    const { protocol, hostname, port } = new URL(origin);
    parts = { protocol, hostname: hostname.replace(/^\[|\]$/g, ''), port };
    if (origins.size > 100) origins.clear();
    origins.set(origin, parts);
  }
  return { ...parts, path: end < 0 ? '/' : url.slice(end) };
};

/**
 * One HTTP exchange whose answer is a stream. A kept connection that the server closed just then is tried once more, where that is
 * safe: for reads, and for writes with an idempotency key.
 * @throws FairleadError the `unreachable` code when nothing was sent, `outcome_unknown` when a write's answer was lost; aborting
 *   throws the signal's reason
 */
export const requestRaw = async (
  call: RawRequest,
  { agent = keptAlive, unreachable = 'daemon_not_running' }: NodeHttpOptions = {},
): Promise<RawResponse> => {
  const repeatable = call.method === 'GET' || call.headers?.['idempotency-key'] !== undefined;
  for (let attempt = 1; ; attempt++) {
    try {
      return await exchange(call, agent);
    } catch (error) {
      if (call.signal?.aborted) throw call.signal.reason;
      const { code = '', reusedSocket } = error as NodeJS.ErrnoException & { reusedSocket?: boolean };
      if (reusedSocket && repeatable && attempt === 1) continue;
      const origin = new URL(call.url).origin;
      if (NOT_SENT.has(code) || call.method === 'GET')
        throw new FairleadError(unreachable, {
          detail: `Nothing answers at ${origin} (${code || (error as Error).message}).`,
          cause: error,
        });
      throw new FairleadError('outcome_unknown', {
        detail: `The connection to ${origin} broke before the answer came (${code}).`,
        cause: error,
      });
    }
  }
};

/** Reads a body to its end, up to a limit in bytes. @throws FairleadError `payload_too_large` */
export const readAll = async (body: AsyncIterable<Uint8Array>, limit = Infinity): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const take = (chunk: Uint8Array) => {
    size += chunk.length;
    if (size > limit) throw new FairleadError('payload_too_large', { detail: `The body is larger than ${limit} bytes.` });
    chunks.push(chunk);
  };
  if (body instanceof Readable) await drink(body, take);
  else for await (const chunk of body) take(chunk);
  return chunks.length === 1 ? Buffer.from(chunks[0]!.buffer, chunks[0]!.byteOffset, chunks[0]!.byteLength) : Buffer.concat(chunks);
};

/** Reads a node stream by its events, which costs much less than iterating it. */
const drink = (body: Readable, take: (chunk: Uint8Array) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    if (body.destroyed && !body.readableEnded) return reject(body.errored ?? new Error('the body ended early'));
    body.on('data', (chunk: Uint8Array) => {
      try {
        take(chunk);
      } catch (error) {
        reject(error);
        body.destroy();
      }
    });
    body.on('end', resolve);
    body.on('error', reject);
    body.on('close', () => reject(new Error('the body ended early')));
  });

/** The typed client's transport over node:http: kept connections, and a start without undici. */
export const nodeTransport =
  (options: NodeHttpOptions = {}): Transport =>
  async (request) => {
    const { status, body } = await requestRaw(request, options);
    return { status, text: async () => (await readAll(body)).toString('utf8'), bytes: () => body };
  };
