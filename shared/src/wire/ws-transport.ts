import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import { FairleadError, Problem } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';
import type { Clock } from '../kit/clock.ts';
import { CONNECT_PATH, SUBPROTOCOL } from './frames.ts';
import { CLOSE, HIGH_WATER, LOW_WATER, STRANGER_BYTES, type Transport, type TransportEnd } from './transport.ts';

/** Compression stays off: it costs 12 to 16 times the throughput and 20 times the memory of a connection. */
const WIRE = { perMessageDeflate: false, maxPayload: LIMITS.wire_frame.value } as const;
/** How long a peer may take to answer our close, in milliseconds. */
const CLOSE_GRACE = 2000;

/** Pings on a timer that no request awaits; a peer of which nothing was heard for three intervals is given up. */
const watchSilence = (socket: WebSocket, clock: Clock, interval: number): (() => void) => {
  let silent = 0;
  const heard = () => {
    silent = 0;
  };
  socket.on('ping', heard);
  socket.on('pong', heard);
  socket.on('message', heard);
  let cancel = () => {};
  const tick = () => {
    if (silent >= 3) return socket.terminate();
    silent++;
    if (socket.readyState === WebSocket.OPEN) socket.ping();
    cancel = clock.after(interval, tick);
  };
  cancel = clock.after(interval, tick);
  return () => cancel();
};

/**
 * A transport over an open websocket.
 * @param raw the connection below it, to count what a stranger sends
 * @param interval between pings, in milliseconds
 */
export const socketTransport = (socket: WebSocket, raw: Duplex, clock: Clock, interval: number = LIMITS.heartbeat.value): Transport => {
  const waiting: { readonly data: Buffer; readonly binary: boolean }[] = [];
  let handler: ((data: Buffer, binary: boolean) => void) | undefined;
  const ends: ((end: TransportEnd) => void)[] = [];
  let ended: TransportEnd | undefined;
  let drain: (() => void) | undefined;
  let high = false;
  let closing = false;
  let stranger = 0;

  const count = (chunk: Buffer) => {
    stranger += chunk.length;
    if (stranger > STRANGER_BYTES) socket.terminate();
  };
  raw.on('data', count);
  const stopWatching = watchSilence(socket, clock, interval);

  socket.on('message', (data: Buffer, binary: boolean) => {
    if (closing) return;
    if (handler && waiting.length === 0) return handler(data, binary);
    // Nothing more is read from the line until somebody takes what is there.
    waiting.push({ data, binary });
    socket.pause();
  });
  // What went wrong with the line is told by the close that follows.
  socket.on('error', () => {});
  socket.on('close', (code, reason) => {
    ended = { code, reason: reason.toString('utf8') };
    stopWatching();
    for (const tell of ends) tell(ended);
  });

  // Everything that is sent in one turn of the event loop leaves in one write: most of what a busy session costs is system calls.
  let corked = false;
  const uncork = () => {
    corked = false;
    raw.uncork();
  };
  const cork = () => {
    if (corked) return;
    corked = true;
    raw.cork();
    setImmediate(uncork);
  };

  const flushed = () => {
    if (!high || socket.bufferedAmount > LOW_WATER) return;
    high = false;
    drain?.();
  };
  const send = (data: string | Uint8Array, binary: boolean) => {
    if (closing || socket.readyState !== WebSocket.OPEN) return;
    cork();
    if (socket.bufferedAmount > LOW_WATER) socket.send(data, { binary }, flushed);
    else socket.send(data, { binary });
    if (socket.bufferedAmount > HIGH_WATER) high = true;
  };

  return {
    sendText: (data) => send(data, false),
    sendBytes: (data) => send(data, true),
    receive(next) {
      handler = next;
      // A reader may hand over to the next, or to nobody, while it reads.
      const taken = () => (handler ? waiting.shift() : undefined);
      for (let message = taken(); message; message = taken()) handler?.(message.data, message.binary);
      if (handler) socket.resume();
    },
    onEnd(tell) {
      if (ended) tell(ended);
      else ends.push(tell);
    },
    get buffered() {
      return socket.bufferedAmount;
    },
    onDrain(tell) {
      drain = tell;
    },
    close(code, reason) {
      if (closing || ended) return;
      closing = true;
      socket.resume();
      socket.close(code, reason.slice(0, 100));
      const cancel = clock.after(CLOSE_GRACE, () => socket.terminate());
      socket.once('close', cancel);
    },
    destroy: () => socket.terminate(),
    trust: () => void raw.off('data', count),
  };
};

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/**
 * The origin of a relay's address, as the handshake compares it, and the address of its websocket. Plain text is for loopback alone.
 * @throws FairleadError `config_invalid`
 */
export const relayAddress = (address: string): { readonly origin: string; readonly socketUrl: string } => {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const refuse = (rule: string) => new FairleadError('config_invalid', { field: 'relay', rule, detail: `The relay address ${rule}.` });
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) throw refuse('must be an http or https address');
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw refuse('must not carry credentials, a query or a fragment');
  if (url.protocol === 'http:' && !LOOPBACK.test(url.hostname)) throw refuse('must be https, except on this machine itself');
  return { origin: url.origin, socketUrl: `${url.origin.replace(/^http/, 'ws')}${CONNECT_PATH}` };
};

const readProblem = (response: IncomingMessage, resolve: (problem: FairleadError) => void): void => {
  const otherwise = new FairleadError('relay_not_running', {
    detail: `What answers at the relay's address is no relay (status ${response.statusCode}).`,
  });
  let text = '';
  response.setEncoding('utf8');
  response.on('data', (part: string) => {
    if (text.length < 16_384) text += part;
  });
  response.on('error', () => resolve(otherwise));
  response.on('close', () => resolve(otherwise));
  response.on('end', () => {
    try {
      resolve(FairleadError.fromProblem(Problem.parse(JSON.parse(text))));
    } catch {
      resolve(otherwise);
    }
  });
};

/**
 * Opens the connection to a relay. The handshake is still to come.
 * @throws FairleadError `config_invalid` for an address that must not be dialled, `relay_not_running`, or what the relay refused with
 */
export const dialRelay = (address: string, clock: Clock, signal?: AbortSignal): Promise<Transport> =>
  new Promise((resolve, reject) => {
    const { socketUrl } = relayAddress(address);
    if (signal?.aborted) return reject(signal.reason as Error);
    const socket = new WebSocket(socketUrl, [SUBPROTOCOL], { ...WIRE, handshakeTimeout: LIMITS.handshake.value, followRedirects: false });
    let raw: Duplex | undefined;
    let done = false;
    const abort = () => socket.terminate();
    const settle = (end: () => void) => {
      if (done) return;
      done = true;
      signal?.removeEventListener('abort', abort);
      end();
    };
    signal?.addEventListener('abort', abort);
    socket.on('upgrade', (response) => {
      raw = response.socket;
    });
    socket.once('open', () => settle(() => resolve(socketTransport(socket, raw!, clock))));
    socket.once('unexpected-response', (request, response) => {
      readProblem(response, (problem) => {
        settle(() => reject(problem));
        request.destroy();
      });
    });
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      settle(() =>
        reject(
          signal?.aborted
            ? signal.reason
            : new FairleadError('relay_not_running', {
                detail: `The relay at ${address} cannot be reached (${cause.code ?? cause.message}).`,
                cause,
              }),
        ),
      );
    });
  });

/** Answers an upgrade with a problem document and ends the connection. */
export const refuseUpgrade = (socket: Duplex, error: FairleadError): void => {
  const body = JSON.stringify(error.toProblem());
  socket.on('error', () => {});
  socket.end(
    `HTTP/1.1 ${error.status} Refused\r\nConnection: close\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
};

export interface SocketServer {
  /**
   * Takes the upgrade of a connector, or refuses it: browsers (an Origin header), other paths and other subprotocols are not let in.
   * Mount it as the `upgrade` listener of the HTTP server.
   */
  upgrade(request: IncomingMessage, raw: Duplex, head: Buffer): void;
  /** Ends every connection, after what was said last has gone out. */
  close(): void;
}

/** How long a peer may take to answer the close of its socket. */
const CLOSING_MS = 1_000;

/** @param options.allow may refuse before anything is accepted, by throwing a FairleadError: rates, draining */
export const createSocketServer = (options: {
  readonly clock: Clock;
  readonly onTransport: (transport: Transport, request: IncomingMessage) => void;
  readonly allow?: (request: IncomingMessage) => void;
}): SocketServer => {
  const server = new WebSocketServer({ ...WIRE, noServer: true, clientTracking: true, handleProtocols: () => SUBPROTOCOL });
  const check = (request: IncomingMessage) => {
    if (request.headers.origin !== undefined)
      throw new FairleadError('origin_denied', { detail: 'Connectors are no browsers; a request with an Origin is refused.' });
    if ((request.url ?? '').split('?')[0] !== CONNECT_PATH) throw new FairleadError('not_found');
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    if (!offered.includes(SUBPROTOCOL)) throw new FairleadError('protocol_unsupported', { detail: `This relay speaks ${SUBPROTOCOL}.` });
    options.allow?.(request);
  };
  return {
    upgrade(request, raw, head) {
      try {
        check(request);
      } catch (error) {
        return refuseUpgrade(raw, error instanceof FairleadError ? error : new FairleadError('internal', { cause: error }));
      }
      server.handleUpgrade(request, raw, head, (socket) => options.onTransport(socketTransport(socket, raw, options.clock), request));
    },
    close() {
      for (const socket of server.clients) {
        socket.close(CLOSE.goingAway, 'closing');
        // What was said last is still on its way; a peer that does not answer the close is not waited for.
        const cancel = options.clock.after(CLOSING_MS, () => socket.terminate());
        socket.once('close', cancel);
      }
      server.close();
    },
  };
};
