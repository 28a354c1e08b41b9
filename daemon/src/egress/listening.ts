import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { LIMITS } from '@fairlead/shared/contract/limits';

/** What one way in does with what arrives. */
export interface Serving {
  readonly request: RequestListener;
  readonly connect: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** A connection beyond `LIMITS.egress_connections` was closed. */
  readonly dropped: () => void;
}

export interface WayIn {
  /** The port, where it is one. */
  readonly port: number | undefined;
  /** Ends everything at once. */
  close(): Promise<void>;
}

const HEADERS_MS = 15_000;

const track = (server: Server): Set<Socket> => {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
};

/** Listens on a unix socket, or on a free port of the machine's loopback. */
export const listenAt = (at: { readonly socket: string } | 'loopback', serving: Serving): Promise<WayIn> => {
  const server = createServer(
    { maxHeaderSize: LIMITS.egress_header.value, headersTimeout: HEADERS_MS, requestTimeout: 0, keepAliveTimeout: 60_000, noDelay: true },
    serving.request,
  );
  server.maxConnections = LIMITS.egress_connections.value;
  server.on('connect', serving.connect);
  server.on('drop', serving.dropped);
  const sockets = track(server);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(at === 'loopback' ? { host: '127.0.0.1', port: 0 } : { path: at.socket }, () => {
      const address = server.address() as AddressInfo | string;
      resolve({
        port: typeof address === 'string' ? undefined : address.port,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            for (const socket of sockets) socket.destroy();
          }),
      });
    });
  });
};
