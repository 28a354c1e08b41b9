import { createHash } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { FairleadError } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';
import { manualClock, systemClock } from '../kit/clock.ts';
import { CONNECT_PATH, SUBPROTOCOL } from './frames.ts';
import { transportContract } from './transport.contract.ts';
import { STRANGER_BYTES, type Transport, type TransportEnd } from './transport.ts';
import { createSocketServer, dialRelay, relayAddress, socketTransport } from './ws-transport.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const serve = async (allow?: () => void) => {
  const accepted: ((transport: Transport) => void)[] = [];
  const sockets = createSocketServer({
    clock: systemClock,
    onTransport: (transport) => accepted.shift()?.(transport),
    ...(allow && { allow }),
  });
  const server = http.createServer();
  server.on('upgrade', (...upgrade) => sockets.upgrade(...upgrade));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    sockets.close();
    server.close();
    server.closeAllConnections();
  };
  closers.push(close);
  const port = (server.address() as AddressInfo).port;
  return { port, url: `http://127.0.0.1:${port}`, next: () => new Promise<Transport>((resolve) => accepted.push(resolve)) };
};

transportContract('websocket', async () => {
  const server = await serve();
  const accepted = server.next();
  const left = await dialRelay(server.url, systemClock);
  const right = await accepted;
  left.trust();
  right.trust();
  return {
    left,
    right,
    dispose: async () => {
      left.destroy();
      right.destroy();
    },
  };
});

const refusal = async (promise: Promise<unknown>): Promise<FairleadError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FairleadError);
  return error as FairleadError;
};

const ended = (transport: Transport) => new Promise<TransportEnd>((resolve) => transport.onEnd(resolve));

describe('createSocketServer', () => {
  const status = (port: number, headers: Record<string, string>, path = CONNECT_PATH) =>
    new Promise<number>((resolve, reject) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, [headers['sec-websocket-protocol'] ?? SUBPROTOCOL], {
        headers: { ...(headers['origin'] && { origin: headers['origin'] }) },
      });
      socket.on('unexpected-response', (request, response) => {
        resolve(response.statusCode ?? 0);
        request.destroy();
      });
      socket.on('open', () => reject(new Error('was let in')));
      socket.on('error', () => {});
    });

  it('refuses browsers, other paths and other subprotocols before anything is accepted', async () => {
    const { port } = await serve();
    expect(await status(port, { origin: 'https://relay.example' })).toBe(403);
    expect(await status(port, {}, '/api')).toBe(404);
    expect(await status(port, { 'sec-websocket-protocol': 'fairlead.v9' })).toBe(426);
  });

  it('passes on why it may not be dialled', async () => {
    const { url } = await serve(() => {
      throw new FairleadError('draining');
    });
    expect((await refusal(dialRelay(url, systemClock))).code).toBe('draining');
  });

  it('negotiates no compression', async () => {
    const { port } = await serve();
    const socket = new WebSocket(`ws://127.0.0.1:${port}${CONNECT_PATH}`, [SUBPROTOCOL], { perMessageDeflate: true });
    await new Promise((resolve) => socket.on('open', resolve));
    expect(socket.extensions).toBe('');
    expect(socket.protocol).toBe(SUBPROTOCOL);
    socket.terminate();
  });

  it('cuts off a stranger that sends more than a handshake needs, in many messages or in one', async () => {
    const server = await serve();
    for (const parts of [1, 40]) {
      const accepted = server.next();
      const left = await dialRelay(server.url, systemClock);
      const right = await accepted;
      right.receive(() => {});
      for (let part = 0; part < parts; part++) left.sendText('x'.repeat(Math.ceil((STRANGER_BYTES * 2) / parts)));
      expect((await ended(right)).code).toBe(1006);
    }
  });

  it('refuses a message above the frame limit', async () => {
    const server = await serve();
    const accepted = server.next();
    const left = await dialRelay(server.url, systemClock);
    const right = await accepted;
    right.trust();
    right.receive(() => {});
    left.sendBytes(Buffer.alloc(LIMITS.wire_frame.value + 1));
    expect((await ended(left)).code).toBe(1009);
  });
});

describe('silence', () => {
  it('gives up a peer that answers no ping for three intervals', async () => {
    const clock = manualClock();
    // A peer that completes the upgrade and then never reads or writes again.
    const mute = net.createServer((socket) => {
      socket.once('data', (request) => {
        const key = /sec-websocket-key: (.*)\r\n/i.exec(request.toString())![1]!;
        const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: ${SUBPROTOCOL}\r\n\r\n`,
        );
      });
      socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    closers.push(() => mute.close());
    const transport = await dialRelay(`http://127.0.0.1:${(mute.address() as AddressInfo).port}`, clock);
    transport.receive(() => {});
    let over = false;
    transport.onEnd(() => {
      over = true;
    });
    await clock.advance(3 * LIMITS.heartbeat.value);
    expect(over).toBe(false);
    await clock.advance(LIMITS.heartbeat.value);
    expect((await ended(transport)).code).toBe(1006);
  });

  it('keeps a peer that only answers pings', async () => {
    const server = await serve();
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}${CONNECT_PATH}`, [SUBPROTOCOL]);
    let raw: net.Socket | undefined;
    socket.on('upgrade', (response) => {
      raw = response.socket;
    });
    await new Promise((resolve) => socket.on('open', resolve));
    const transport = socketTransport(socket, raw!, systemClock, 15);
    transport.receive(() => {});
    let over = false;
    transport.onEnd(() => {
      over = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(over).toBe(false);
    transport.destroy();
  });
});

describe('relayAddress', () => {
  it('allows plain text to this machine alone', () => {
    expect(relayAddress('http://127.0.0.1:8090/')).toEqual({ origin: 'http://127.0.0.1:8090', socketUrl: 'ws://127.0.0.1:8090/connect' });
    expect(relayAddress('http://[::1]:8090').socketUrl).toBe('ws://[::1]:8090/connect');
    expect(relayAddress('https://Relay.Example').socketUrl).toBe('wss://relay.example/connect');
    for (const bad of [
      'http://relay.example',
      'http://127.evil.example',
      'ws://localhost',
      'https://u:p@relay.example',
      'https://relay.example/?x=1',
      'relay',
      'http://localhost.evil.example',
    ]) {
      expect(() => relayAddress(bad), bad).toThrow(FairleadError);
    }
  });

  it('says that no relay answers, for a closed port and for another server', async () => {
    expect((await refusal(dialRelay('http://127.0.0.1:1', systemClock))).code).toBe('relay_not_running');
    const other = http.createServer((_, response) => response.end('hello'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    closers.push(() => other.close());
    expect((await refusal(dialRelay(`http://127.0.0.1:${(other.address() as AddressInfo).port}`, systemClock))).code).toBe(
      'relay_not_running',
    );
  });
});
