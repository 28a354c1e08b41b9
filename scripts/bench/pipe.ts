/**
 * The baseline of the path figures: the barest pipe of the same shape, node:http -> ws -> node:http, as three processes.
 * It checks nothing, keeps nothing and answers the same bytes. `pipe daemon SIZE`, `pipe relay`, `pipe connector WS_URL HTTP_URL`.
 */
import { Agent, createServer, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';

const ready = (value: Record<string, unknown>): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`);
};

const HEADERS = { 'content-type': 'application/json' };

const daemon = (size: number): void => {
  const body = JSON.stringify({ filler: 'x'.repeat(size - '{"filler":""}'.length) });
  const server = createServer((_, response) => response.writeHead(200, { ...HEADERS, 'content-length': body.length }).end(body));
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1', () => ready({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }));
};

const relay = (): void => {
  const waiting = new Map<number, ServerResponse>();
  let socket: WebSocket | undefined;
  let last = 0;
  const server = createServer((incoming, response) => {
    const id = ++last;
    waiting.set(id, response);
    socket?.send(JSON.stringify({ id, path: incoming.url }));
  });
  server.keepAliveTimeout = 60_000;
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  sockets.on('connection', (opened) => {
    socket = opened;
    opened.on('message', (data) => {
      const { id, body } = JSON.parse((data as Buffer).toString()) as { id: number; body: string };
      waiting
        .get(id)
        ?.writeHead(200, { ...HEADERS, 'content-length': Buffer.byteLength(body) })
        .end(body);
      waiting.delete(id);
    });
  });
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo;
    ready({ url: `http://127.0.0.1:${port}`, ws_url: `ws://127.0.0.1:${port}` });
  });
};

const connector = (wsUrl: string, httpUrl: string): void => {
  const { hostname, port } = new URL(httpUrl);
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const socket = new WebSocket(wsUrl, { perMessageDeflate: false });
  socket.on('open', () => ready({ connected: true }));
  socket.on('close', () => process.exit(0));
  socket.on('message', (data) => {
    const { id, path } = JSON.parse((data as Buffer).toString()) as { id: number; path: string };
    request({ hostname, port, path, agent }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => socket.send(JSON.stringify({ id, body })));
    }).end();
  });
};

const [role, first = '', second = ''] = process.argv.slice(2);
if (role === 'daemon') daemon(Number(first));
else if (role === 'relay') relay();
else connector(first, second);
