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

interface Message {
  readonly data: Buffer;
  readonly binary: boolean;
}

/**
 * A transport over an open websocket. It is a class whose parts are made when they are needed, because a relay holds thousands of these and
 * most are idle.
 */
class SocketTransport implements Transport {
  readonly #socket: WebSocket;
  readonly #raw: Duplex;
  readonly #clock: Clock;
  readonly #interval: number;
  #handler: ((data: Buffer, binary: boolean) => void) | undefined;
  /** Messages that nobody has taken yet. */
  #waiting: Message[] | undefined;
  #ends: ((end: TransportEnd) => void)[] = [];
  #ended: TransportEnd | undefined;
  #drain: (() => void) | undefined;
  #high = false;
  #corked = false;
  #closing = false;
  /** Intervals in which nothing was heard. */
  #silent = 0;
  #cancelTick: () => void;
  /** Counts what a stranger sends, until it is none. */
  #count: ((chunk: Buffer) => void) | undefined;

  constructor(socket: WebSocket, raw: Duplex, clock: Clock, interval: number) {
    this.#socket = socket;
    this.#raw = raw;
    this.#clock = clock;
    this.#interval = interval;
    let stranger = 0;
    this.#count = (chunk) => {
      stranger += chunk.length;
      if (stranger > STRANGER_BYTES) socket.terminate();
    };
    raw.on('data', this.#count);
    const heard = () => {
      this.#silent = 0;
    };
    socket.on('ping', heard);
    socket.on('pong', heard);
    socket.on('message', (data: Buffer, binary: boolean) => this.#message(data, binary));
    // What went wrong with the line is told by the close that follows.
    socket.on('error', ignore);
    socket.on('close', (code, reason) => this.#close(code, reason));
    this.#cancelTick = clock.after(interval, () => this.#tick());
  }

  /** Pings on a timer that no request awaits; a peer of which nothing was heard for three intervals is given up. */
  #tick(): void {
    if (this.#silent >= 3) return this.#socket.terminate();
    this.#silent++;
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
    this.#cancelTick = this.#clock.after(this.#interval, () => this.#tick());
  }

  #message(data: Buffer, binary: boolean): void {
    this.#silent = 0;
    if (this.#closing) return;
    if (this.#handler && !this.#waiting) return this.#handler(data, binary);
    // Nothing more is read from the line until somebody takes what is there.
    (this.#waiting ??= []).push({ data, binary });
    this.#socket.pause();
  }

  #close(code: number, reason: Buffer): void {
    this.#ended = { code, reason: reason.toString('utf8') };
    this.#cancelTick();
    for (const tell of this.#ends) tell(this.#ended);
  }

  /** Everything that is sent in one turn of the event loop leaves in one write: most of what a busy session costs is system calls. */
  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#raw.cork();
    setImmediate(() => {
      this.#corked = false;
      this.#raw.uncork();
    });
  }

  #flushed(): void {
    if (!this.#high || this.#socket.bufferedAmount > LOW_WATER) return;
    this.#high = false;
    this.#drain?.();
  }

  #send(data: string | Uint8Array, binary: boolean): void {
    const socket = this.#socket;
    if (this.#closing || socket.readyState !== WebSocket.OPEN) return;
    this.#cork();
    if (socket.bufferedAmount > LOW_WATER) socket.send(data, { binary }, () => this.#flushed());
    else socket.send(data, { binary });
    if (socket.bufferedAmount > HIGH_WATER) this.#high = true;
  }

  sendText(data: string | Uint8Array): void {
    this.#send(data, false);
  }

  sendBytes(data: Uint8Array): void {
    this.#send(data, true);
  }

  /** The next message that waits, while there is somebody to take it. A reader may hand over to the next, or to nobody, while it reads. */
  #next(): Message | undefined {
    if (!this.#handler || !this.#waiting) return undefined;
    const message = this.#waiting.shift();
    if (!message) this.#waiting = undefined;
    return message;
  }

  receive(next: ((data: Buffer, binary: boolean) => void) | undefined): void {
    this.#handler = next;
    for (let message = this.#next(); message; message = this.#next()) this.#handler?.(message.data, message.binary);
    if (this.#handler) this.#socket.resume();
  }

  onEnd(tell: (end: TransportEnd) => void): void {
    if (this.#ended) tell(this.#ended);
    else this.#ends.push(tell);
  }

  get buffered(): number {
    return this.#socket.bufferedAmount;
  }

  onDrain(tell: () => void): void {
    this.#drain = tell;
  }

  close(code: number, reason: string): void {
    if (this.#closing || this.#ended) return;
    this.#closing = true;
    this.#socket.resume();
    this.#socket.close(code, reason.slice(0, 100));
    const cancel = this.#clock.after(CLOSE_GRACE, () => this.#socket.terminate());
    this.#socket.once('close', cancel);
  }

  destroy(): void {
    this.#socket.terminate();
  }

  trust(): void {
    if (this.#count) this.#raw.off('data', this.#count);
    this.#count = undefined;
  }
}

const ignore = (): void => {};

/**
 * A transport over an open websocket.
 * @param raw the connection below it, to count what a stranger sends
 * @param interval between pings, in milliseconds
 */
export const socketTransport = (socket: WebSocket, raw: Duplex, clock: Clock, interval: number = LIMITS.heartbeat.value): Transport =>
  new SocketTransport(socket, raw, clock, interval);

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
      // What is said first leaves in one write with the answer to the upgrade.
      raw.cork();
      server.handleUpgrade(request, raw, head, (socket) => options.onTransport(socketTransport(socket, raw, options.clock), request));
      setImmediate(() => raw.uncork());
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
