import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { ErrorCode } from '@fairlead/shared/contract/error-table';
import { newRelayId } from '@fairlead/shared/contract/ids';
import { systemClock } from '@fairlead/shared/kit/clock';
import { readAll } from '@fairlead/shared/kit/http-client';
import { generateKey, type KeyPair } from '@fairlead/shared/kit/signature';
import type { RequestingChannel, WireAnswer, WireRequest } from '@fairlead/shared/wire/exchange';
import type { Descriptor } from '@fairlead/shared/wire/frames';
import { greetConnector } from '@fairlead/shared/wire/greeting';
import { enrollmentProofHolds } from '@fairlead/shared/wire/handshake';
import { createRequestingChannel } from '@fairlead/shared/wire/requesting-channel';
import type { Transport } from '@fairlead/shared/wire/transport';
import { createSocketServer } from '@fairlead/shared/wire/ws-transport';

export interface RelayOptions {
  /** What the relay calls itself, when it lies. */
  readonly origin?: string;
  readonly key?: KeyPair;
  /** Takes the line over before any handshake. */
  readonly onTransport?: (transport: Transport) => void;
}

export interface LiveSession {
  readonly transport: Transport;
  readonly channel: RequestingChannel;
  /** Every advertised set, oldest first. */
  readonly sets: (readonly Descriptor[])[];
}

/** A relay over real sockets that does the handshake honestly, or not at all, and then asks what a test tells it to. */
export const relayDouble = async (options: RelayOptions = {}) => {
  const key = options.key ?? generateKey();
  const connectors = new Map<string, { key: string; state: 'enabled' | 'disabled' | 'revoked' }>();
  const tokens = new Map<string, string>();
  const sessions: LiveSession[] = [];
  const failures: unknown[] = [];
  const received: Buffer[] = [];
  const raw = new Set<Socket>();
  let accept: readonly string[] | undefined;
  let origin = '';

  const begin = async (transport: Transport) => {
    await greetConnector(transport, {
      clock: systemClock,
      relayKey: key,
      origin: options.origin ?? origin,
      find: (id) => connectors.get(id),
    });
    const sets: (readonly Descriptor[])[] = [];
    const channel = createRequestingChannel(transport, systemClock, {
      onAdvertise: (instances) => {
        sets.push(instances);
        const ids = instances.map(({ instance_id }) => instance_id);
        const taken = ids.filter((id) => accept?.includes(id) ?? true);
        queueMicrotask(() =>
          channel.advertised({
            accepted: taken,
            refused: ids.filter((id) => !taken.includes(id)).map((instance_id) => ({ instance_id, code: 'instance_moved' })),
          }),
        );
      },
      onEnd: () => undefined,
    });
    sessions.push({ transport, channel, sets });
  };

  /** The same transport, with every message that comes in kept. */
  const recorded = (transport: Transport): Transport => ({
    sendText: (data) => transport.sendText(data),
    sendBytes: (data) => transport.sendBytes(data),
    receive: (handler) =>
      transport.receive(
        handler &&
          ((data, binary) => {
            received.push(Buffer.from(data));
            handler(data, binary);
          }),
      ),
    onEnd: (handler) => transport.onEnd(handler),
    get buffered() {
      return transport.buffered;
    },
    onDrain: (handler) => transport.onDrain(handler),
    close: (code, reason) => transport.close(code, reason),
    destroy: () => transport.destroy(),
    trust: () => transport.trust(),
  });

  const sockets = createSocketServer({
    clock: systemClock,
    onTransport: (line) => {
      const transport = recorded(line);
      if (options.onTransport) options.onTransport(transport);
      else void begin(transport).catch((error: unknown) => failures.push(error));
    },
  });
  const server = createServer((request, response) => {
    void (async () => {
      const body = JSON.parse((await readAll(request)).toString('utf8')) as { secret: string; key: string; label: string; proof: string };
      const known = tokens.get(body.secret);
      const holds = enrollmentProofHolds({ ...body, origin: options.origin ?? origin }, body.proof);
      if (!holds || known === undefined || (known !== '' && known !== body.key)) {
        response.writeHead(401, { 'content-type': 'application/problem+json' });
        return response.end(JSON.stringify({ type: 'x', title: 'No', status: 401, code: 'enrollment_invalid' }));
      }
      tokens.set(body.secret, body.key);
      const id = newRelayId('con');
      connectors.set(id, { key: body.key, state: 'enabled' });
      response.writeHead(200, { 'content-type': 'application/json' });
      return response.end(JSON.stringify({ connector_id: id, relay_key: key.publicKey, relay_origin: options.origin ?? origin }));
    })();
  });
  server.on('upgrade', (request, socket, head) => sockets.upgrade(request, socket, head));
  server.on('connection', (socket) => {
    raw.add(socket);
    socket.once('data', (chunk) => received.push(chunk));
    socket.on('close', () => raw.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  origin = `http://127.0.0.1:${port}`;

  return {
    origin,
    key,
    connectors,
    sessions,
    failures,
    /** Every message that came in, and what came before the websocket began. */
    received,
    tokenFor: (secret: string) => tokens.set(secret, ''),
    acceptOnly: (ids: readonly string[] | undefined) => {
      accept = ids;
    },
    /** The raw socket of the newest line, for what no websocket would send. */
    socket: () => [...raw].at(-1)!,
    /** Breaks every line without a word. */
    cut: () => {
      for (const socket of raw) socket.destroy();
    },
    refuse: (code: ErrorCode) => sessions.at(-1)!.channel.refuse(code),
    close: () =>
      new Promise<void>((resolve) => {
        sockets.close();
        for (const socket of raw) socket.destroy();
        server.close(() => resolve());
      }),
  };
};
export type RelayDouble = Awaited<ReturnType<typeof relayDouble>>;

export const askFor = (
  operation: string,
  instance: string,
  input: Record<string, unknown>,
  more: Partial<WireRequest> = {},
): WireRequest => ({
  operation,
  instance_id: instance,
  input,
  time_left_ms: 10_000,
  principal: { id: 'planner-1', name: 'Planner' },
  authority: 'relay_asserted',
  ...more,
});

export const textOf = async ({ body }: WireAnswer): Promise<string> =>
  (Buffer.isBuffer(body) ? body : await readAll(body)).toString('utf8');
