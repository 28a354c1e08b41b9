/**
 * Crowds of clients for the figures of the relay, as processes of their own. `ours FILE SEED` connects the members of a file with the
 * connector's real session. `server FILE` is the baseline: a bare websocket server that says and hears the messages of the handshake, of the
 * same size and form, and checks nothing; `bare URL FILE SEED` are its clients, which come back with the same pauses: those of a restart that
 * was told, and those of a line that broke.
 * A client process tells over HTTP how many are connected.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pauseAfter } from '@fairlead/connector/core/reconnect';
import { gather, joinCrowd, seeded, type Crowd, type Member } from '@fairlead/e2e/rig/crowd';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { createBackoff } from '@fairlead/shared/kit/backoff';
import { systemClock } from '@fairlead/shared/kit/clock';
import type { AnswerHandler } from '@fairlead/shared/wire/exchange';
import { encodeFrame } from '@fairlead/shared/wire/codec';
import { answerChallenge, makeChallenge, makeWelcome } from '@fairlead/shared/wire/handshake';
import { WebSocket, WebSocketServer } from 'ws';

const ready = (value: Record<string, unknown>): void => void process.stdout.write(`${JSON.stringify(value)}\n`);

const membersOf = (file: string): Member[] => JSON.parse(readFileSync(file, 'utf8')) as Member[];

/** What a bare server and its clients say: one real handshake, said again and again. */
const wordsOf = ({ identity, descriptors }: Member) => {
  const challenge = makeChallenge({ origin: identity.origin, publicKey: identity.relay_key });
  const prove = answerChallenge(challenge, {
    connectorId: identity.connector_id,
    key: identity.keys,
    dialledOrigin: identity.origin,
    pinnedRelayKey: identity.relay_key,
  });
  return {
    challenge: encodeFrame(challenge),
    prove: encodeFrame(prove),
    welcome: encodeFrame(makeWelcome(challenge, prove, identity.keys, `ses_${randomUUID()}`)),
    advertise: encodeFrame({ t: 'advertise', instances: [...descriptors] }),
    advertised: encodeFrame({ t: 'advertised', accepted: descriptors.map(({ instance_id }) => instance_id), refused: [] }),
  };
};

/** The close code of a server that will be back (IANA). */
const RESTARTS = 1012;

const typeOf = (data: unknown): string => (JSON.parse((data as Buffer).toString()) as { t: string }).t;

const server = (file: string, port: number): void => {
  const words = wordsOf(membersOf(file)[0]!);
  const http = createServer();
  const sockets = new WebSocketServer({ server: http, perMessageDeflate: false });
  sockets.on('connection', (socket) => {
    socket.on('message', (data) => socket.send(typeOf(data) === 'prove' ? words.welcome : words.advertised));
    socket.send(words.challenge);
  });
  http.listen(port, '127.0.0.1', () => ready({ url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}` }));
  process.once('SIGTERM', () => {
    http.close(() => process.exit(0));
    for (const socket of sockets.clients) socket.close(RESTARTS);
  });
};

const bare = async (url: string, file: string, seed: number): Promise<Pick<Crowd, 'up'>> => {
  const members = membersOf(file);
  const words = wordsOf(members[0]!);
  const up = new Set<number>();
  const spread = members.length * LIMITS.restart_pace.value;
  await gather(members.length, (at, isUp) => {
    const random = seeded(seed + at);
    const backoff = createBackoff({ base: LIMITS.reconnect_base.value, cap: LIMITS.reconnect_cap.value, random });
    const dial = () => {
      const socket = new WebSocket(url, { perMessageDeflate: false, handshakeTimeout: LIMITS.handshake.value });
      socket.on('error', () => {});
      socket.on('message', (data) => {
        const type = typeOf(data);
        if (type === 'challenge') return socket.send(words.prove);
        if (type === 'welcome') return socket.send(words.advertise);
        up.add(at);
        isUp();
      });
      socket.on('close', (end) => {
        up.delete(at);
        const code = end === RESTARTS ? 'draining' : 'relay_not_running';
        setTimeout(dial, pauseAfter({ code, spread }, backoff.next, random));
      });
    };
    dial();
  });
  return {
    get up() {
      return up.size;
    },
  };
};

/** Holds every wait for as long as it asks for, and answers everything else at once. */
const answer: AnswerHandler = async ({ input }, { until }) => {
  const wait = input['timeout_ms'];
  if (typeof wait === 'number') {
    const over = new Promise<void>((resolve) => {
      const cancel = systemClock.after(wait, resolve);
      until.onEnd(() => {
        cancel();
        resolve();
      });
    });
    await over;
  }
  return { status: 200, type: 'application/json', body: Buffer.from('{"said":"so"}') };
};

/** Tells over HTTP how many are up. */
const tellOf = (crowd: Pick<Crowd, 'up'>): void => {
  const http = createServer((_, response) => response.end(JSON.stringify({ up: crowd.up })));
  http.listen(0, '127.0.0.1', () => ready({ url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` }));
  process.once('SIGTERM', () => process.exit(0));
};

const [role, first = '', second = '', third = ''] = process.argv.slice(2);
if (role === 'server') server(first, Number(second));
else if (role === 'ours') tellOf(await joinCrowd(membersOf(first), answer, Number(second)));
else tellOf(await bare(first, second, Number(third)));
