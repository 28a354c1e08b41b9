import { FairleadError, Problem } from './errors.ts';
import { toHttp } from './http.ts';
import type { Operation } from './operations/operation.ts';
import { OPERATIONS, type CallOf, type OperationName, type OutputOf } from './operations/table.ts';

/** One HTTP exchange. `fetch` fits with `fetchTransport`; a process that minds its start-up time brings its own. */
export type Transport = (request: {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly signal: AbortSignal | undefined;
}) => Promise<{ readonly status: number; text(): Promise<string>; bytes(): AsyncIterable<Uint8Array> }>;

export const fetchTransport: Transport = async ({ url, signal, body, ...rest }) => {
  const response = await fetch(url, { ...rest, ...(body !== undefined && { body }), ...(signal && { signal }), redirect: 'error' });
  return {
    status: response.status,
    text: () => response.text(),
    bytes: () => (response.body ?? new ReadableStream({ start: (c) => c.close() })) as AsyncIterable<Uint8Array>,
  };
};

export interface ClientOptions {
  /** Such as `http://127.0.0.1:8085`. */
  readonly url: string;
  readonly prefix: '/api/v1' | '/api/v2';
  readonly token: string;
  readonly transport?: Transport;
}

export interface CallOptions {
  /** The same key asks for the same effect, once. */
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
}

export interface Client {
  /** Asks for an operation by name. @throws FairleadError with the code that the server gave */
  call<N extends OperationName>(name: N, input: CallOf<N>, options?: CallOptions): Promise<OutputOf<N>>;
  /** The bytes of a `stream: 'bytes'` operation, or the text of an event stream. */
  stream<N extends OperationName>(
    name: N,
    input: CallOf<N>,
    options?: CallOptions & { accept?: string },
  ): Promise<AsyncIterable<Uint8Array>>;
}

const problemOf = (status: number, text: string): FairleadError => {
  try {
    return FairleadError.fromProblem(Problem.parse(JSON.parse(text)));
  } catch {
    return new FairleadError('internal', { detail: `The server answered ${status} without a problem document` });
  }
};

/** The one typed client, for every CLI, script and page. It reads answers tolerantly: parts are upgraded apart. */
export const createClient = ({ url, prefix, token, transport = fetchTransport }: ClientOptions): Client => {
  const send = async (row: Operation, input: Record<string, unknown>, accept: string, options: CallOptions) => {
    const { method, path, body } = toHttp(row, input);
    const response = await transport({
      method,
      url: `${url}${prefix}${path}`,
      headers: {
        accept,
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(options.idempotencyKey !== undefined && { 'idempotency-key': options.idempotencyKey }),
      },
      body,
      signal: options.signal,
    });
    if (response.status >= 300) throw problemOf(response.status, await response.text());
    return response;
  };
  return {
    async call(name, input, options = {}) {
      const row = OPERATIONS[name];
      const response = await send(row, input, 'application/json', options);
      return JSON.parse(await response.text()) as OutputOf<typeof name>;
    },
    async stream(name, input, { accept = '*/*', ...options } = {}) {
      const response = await send(OPERATIONS[name], input, accept, options);
      return response.bytes();
    },
  };
};
