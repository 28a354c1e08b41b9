import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline, type Duplex } from 'node:stream';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { passedHeaders } from './headers.ts';
import type { Traffic } from './traffic.ts';

type Counted = ReturnType<Traffic['reach']>;

const follow = (socket: Duplex, other: Duplex): void => {
  socket.on('error', () => other.destroy());
  socket.on('close', () => {
    // A side that has gone in the middle takes the other with it; one that has ended in order lets the other finish.
    if (!other.writableEnded || !other.readableEnded) other.destroy();
  });
  socket.pipe(other);
};

/** Joins two connections until both have ended, or nothing has passed for `LIMITS.egress_idle`. */
export const joinSockets = (near: Duplex, far: Socket, counted: Counted): void => {
  near.on('data', (chunk: Buffer) => counted.sent(chunk.length));
  far.on('data', (chunk: Buffer) => counted.received(chunk.length));
  far.setTimeout(LIMITS.egress_idle.value, () => far.destroy());
  follow(near, far);
  follow(far, near);
};

/** Answers in plain words, for the people who read the log of an agent. Closes the connection, because its body may not have been read. */
export const answer = (response: ServerResponse, status: number, text: string, reason?: string): void => {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(`${text}\n`),
    connection: 'close',
    ...(reason !== undefined && { 'x-fairlead-refused': reason }),
  });
  response.end(`${text}\n`);
};

export interface Passing {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly counted: Counted;
  /** Headers of the answer that are kept from the asker. */
  readonly hidden: (name: string, values: readonly string[]) => boolean;
}

/**
 * Passes a request on and its answer back, each byte as it comes and no faster than it is read. Redirects are passed back as they are.
 * Whoever hangs up ends the other side as well.
 */
export const passOn = (outgoing: ClientRequest, { request, response, counted, hidden }: Passing): void => {
  // Without a length Node would send the body of some methods with nothing around it, and its end would begin another request.
  if (request.headers['transfer-encoding'] !== undefined) outgoing.setHeader('transfer-encoding', 'chunked');
  let answered = false;
  outgoing.once('response', (incoming) => {
    answered = true;
    response.writeHead(incoming.statusCode!, incoming.statusMessage, passedHeaders(incoming, hidden));
    response.flushHeaders();
    incoming.on('data', (chunk: Buffer) => counted.received(chunk.length));
    // An answer that breaks off in the middle must not look complete, and pipeline destroys the response then.
    pipeline(incoming, response, () => undefined);
  });
  outgoing.on('error', (error: NodeJS.ErrnoException) => {
    // A host may answer before it has read everything, and close; that answer is on its way then.
    if (!answered) answer(response, 502, `The host could not be reached (${error.code ?? 'failed'})`);
  });
  outgoing.setTimeout(LIMITS.egress_idle.value, () => outgoing.destroy(Object.assign(new Error('nothing passed'), { code: 'ETIMEDOUT' })));
  outgoing.once('close', () => request.unpipe(outgoing).resume());
  response.once('close', () => outgoing.destroy());
  request.on('data', (chunk: Buffer) => counted.sent(chunk.length));
  request.pipe(outgoing);
};
