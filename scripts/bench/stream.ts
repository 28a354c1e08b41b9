/**
 * The baseline of the activity figure: the barest pipe for a stream of lines. `relay` serves one reader with what comes over its
 * websocket; `connector WS_URL PROGRAM…` starts the program and sends what it prints, once a reader is there. It checks and keeps nothing.
 */
import { spawn } from 'node:child_process';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';

const ready = (value: Record<string, unknown>): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`);
};

const relay = (): void => {
  let reader: ServerResponse | undefined;
  let socket: WebSocket | undefined;
  const server = createServer((_, response) => {
    reader = response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    socket?.send('begin');
  });
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  sockets.on('connection', (opened) => {
    socket = opened;
    opened.on('message', (data) => reader?.write(data));
  });
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo;
    ready({ url: `http://127.0.0.1:${port}`, ws_url: `ws://127.0.0.1:${port}` });
  });
};

const connector = (wsUrl: string, argv: readonly string[]): void => {
  const socket = new WebSocket(wsUrl, { perMessageDeflate: false });
  socket.on('open', () => ready({ connected: true }));
  socket.on('close', () => process.exit(0));
  socket.on('message', () => {
    const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout.on('data', (chunk: Buffer) => socket.send(chunk));
  });
};

const [role, wsUrl = '', ...argv] = process.argv.slice(2);
if (role === 'relay') relay();
else connector(wsUrl, argv);
