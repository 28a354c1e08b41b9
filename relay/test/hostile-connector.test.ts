import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { systemClock } from '@fairlead/shared/kit/clock';
import { readAll, requestRaw } from '@fairlead/shared/kit/http-client';
import type { KeyPair } from '@fairlead/shared/kit/signature';
import { encodeChunk, encodeFrame } from '@fairlead/shared/wire/codec';
import type { Challenge, Request } from '@fairlead/shared/wire/frames';
import { greetRelay } from '@fairlead/shared/wire/greeting';
import { answerChallenge } from '@fairlead/shared/wire/handshake';
import type { Transport } from '@fairlead/shared/wire/transport';
import { dialRelay } from '@fairlead/shared/wire/ws-transport';
import {
  codeOf,
  enroll,
  testConnector,
  testInstance,
  testRelay,
  until,
  type TestConnector,
  type TestInstance,
  type TestRelay,
} from './rig.ts';

/**
 * An enrolled connector that turns against the relay, over a real socket. Whatever it sends, it harms its own session at most: it is
 * audited, and another connector's instance answers all the while (threats rows 5 and 20).
 */
let relay: TestRelay;
let honest: TestConnector;
const served = testInstance();
let planner: Awaited<ReturnType<TestRelay['plannerToken']>>;
let played = 0;

beforeAll(async () => {
  relay = await testRelay();
  honest = await testConnector(relay);
  await honest.advertise(honest.descriptor(served));
  planner = await relay.plannerToken();
});
afterAll(() => relay.end());

/** The other instance is served, by the connector that it belongs to. */
const stillServed = async (): Promise<void> => {
  const before = honest.requests.length;
  await planner.client.call('get_instance', { instance_id: served.id });
  expect(honest.requests.length).toBe(before + 1);
};

interface Hostile {
  readonly id: string;
  readonly key: KeyPair;
  readonly instance: TestInstance;
  readonly line: Transport;
  /** Every text frame that came, oldest first. */
  readonly heard: { readonly t: string; readonly id?: number; readonly refused?: readonly { readonly code: string }[] }[];
  /** Why the line ended, once it has. */
  ended(): string | undefined;
  say(frame: Record<string, unknown> | string): void;
  /** The request that the relay sent for a planner's call. */
  asked(): Promise<Request>;
}

/** Passes the handshake honestly, shares an instance of its own, and then has the raw line. */
const hostile = async (): Promise<Hostile> => {
  const { id, key } = await enroll(relay);
  const instance = testInstance();
  const line = await dialRelay(relay.url, systemClock);
  let ended: string | undefined;
  line.onEnd(({ reason }) => void (ended = reason));
  await greetRelay(line, { clock: systemClock, connectorId: id, key, dialledOrigin: relay.origin, pinnedRelayKey: relay.key });
  const heard: Hostile['heard'] = [];
  line.receive((data) => heard.push(JSON.parse(data.toString()) as Hostile['heard'][number]));
  const say: Hostile['say'] = (frame) => line.sendText(typeof frame === 'string' ? frame : encodeFrame(frame as never));
  say({ t: 'advertise', instances: [honest.descriptor(instance, { connector_key: key.publicKey })] });
  await until(() => heard.some(({ t }) => t === 'advertised'));
  const asked = async () => {
    await until(() => heard.some(({ t }) => t === 'request'));
    return heard.find(({ t }) => t === 'request') as unknown as Request;
  };
  return { id, key, instance, line, heard, ended: () => ended, say, asked };
};

const auditOf = async (who: string, action: string): Promise<string[]> =>
  (await relay.audit({ action })).filter(({ actor }) => actor === who).map(({ outcome }) => outcome);

/** A read that waits for the hostile connector's answer. */
const waiting = (from: Hostile): Promise<string> => codeOf(planner.client.call('get_step', { step_id: from.instance.resource('step') }));
/** The bytes of an artifact, as a planner reads them. */
const reading = async (from: Hostile): Promise<number> => {
  let size = 0;
  for await (const part of await planner.client.stream('get_artifact_content', { artifact_id: from.instance.resource('art') }))
    size += part.length;
  return size;
};

type Attack = readonly [name: string, code: string, play: (from: Hostile, asked: Request) => void];
const STREAM = { t: 'response', status: 200, stream: true, type: 'application/octet-stream' };

/** Each ends the session that said it, with this code in the audit. A waiting planner is told at once that the machine is away. */
const ENDINGS: readonly Attack[] = [
  ['an answer to a request of the future', 'protocol_unsupported', ({ say }, { id }) => say({ t: 'response', id: id + 1, status: 200 })],
  [
    'an error to a request of the future',
    'protocol_unsupported',
    ({ say }, { id }) => say({ t: 'error', id: id + 1, problem: { type: 'x', title: 'x', status: 400, code: 'not_found' } }),
  ],
  ['an event of a request of the future', 'protocol_unsupported', ({ say }, { id }) => say({ t: 'event', id: id + 9, data: {} })],
  ['the end of a stream that never began', 'protocol_unsupported', ({ say }, { id }) => say({ t: 'end', id })],
  ['bytes for a stream of the future', 'protocol_unsupported', ({ line }, { id }) => line.sendBytes(encodeChunk(id + 5, Buffer.from('x')))],
  ['bytes too short for a number', 'protocol_unsupported', ({ line }) => line.sendBytes(Buffer.from([1]))],
  [
    'a second proof',
    'protocol_unsupported',
    ({ say, id, key }) => {
      const challenge = {
        t: 'challenge',
        nonce: 'n'.repeat(43),
        origin: relay.origin,
        relay_key: relay.key,
        protocol: { min: 1, max: 1 },
      } as const;
      say(answerChallenge(challenge, { connectorId: id, key, dialledOrigin: relay.origin, pinnedRelayKey: relay.key }));
    },
  ],
  ['a request, as only relays send', 'protocol_unsupported', ({ say }, { id }) => say({ t: 'request', id, operation: 'approve_gate' })],
  ['a cancel, as only relays send', 'protocol_unsupported', ({ say }, { id }) => say({ t: 'cancel', id })],
  ['a frame of no known type', 'protocol_unsupported', ({ say }) => say('{"t":"shell","command":"id"}')],
  ['no JSON', 'protocol_unsupported', ({ say }) => say('hello')],
  ['a status that is no success', 'invalid_input', ({ say }, { id }) => say({ t: 'response', id, status: 500 })],
  ['a length that is negative', 'invalid_input', ({ say }, { id }) => say({ ...STREAM, id, length: -1 })],
  ['the number 0', 'invalid_input', ({ say }) => say({ t: 'response', id: 0, status: 200 })],
  ['a set in which a name comes twice', 'malformed_json', ({ say }) => say('{"t":"advertise","instances":[],"instances":[]}')],
  ['a set with __proto__', 'malformed_json', ({ say }) => say('{"t":"advertise","__proto__":{},"instances":[]}')],
  ['a set with a field of its own', 'invalid_input', ({ say }) => say({ t: 'advertise', instances: [], relay_admin: true })],
  [
    'a set of 1,001',
    'invalid_input',
    ({ say, instance, key }) =>
      say({ t: 'advertise', instances: Array.from({ length: 1001 }, () => honest.descriptor(instance, { connector_key: key.publicKey })) }),
  ],
];

describe('a connector that breaks the protocol', () => {
  it.each(ENDINGS)('%s', async (_, code, play) => {
    const from = await hostile();
    const wait = waiting(from);
    play(from, await from.asked());
    expect(await wait).toBe('connector_offline');
    await until(() => from.ended() !== undefined);
    await until(async () => (await auditOf(from.id, 'session_ended')).includes(code));
    await stillServed();
    played += 1;
  });

  it('a message larger than any may be', async () => {
    const from = await hostile();
    const wait = waiting(from);
    await from.asked();
    from.say(`{"t":"event","id":1,"data":{"x":"${'x'.repeat(LIMITS.wire_frame.value)}"}}`);
    expect(await wait).toBe('connector_offline');
    await stillServed();
    played += 1;
  });
});

describe('a connector that answers what it likes', () => {
  it('of a code that the table does not have', async () => {
    const from = await hostile();
    const wait = waiting(from);
    const { id } = await from.asked();
    from.say({ t: 'error', id, problem: { type: 'x', title: 'Root', status: 200, code: 'granted' } });
    expect(await wait).not.toBe('ok');
    await stillServed();
  });

  it('twice: the first counts, and the second reaches nobody', async () => {
    const from = await hostile();
    const first = planner.client.call('get_step', { step_id: from.instance.resource('step') });
    const { id } = await from.asked();
    for (const n of [1, 2]) from.say(`{"t":"response","id":${id},"status":200}\n{"n":${n}}`);
    expect(await first).toEqual({ n: 1 });
    await stillServed();
    expect(from.ended()).toBeUndefined();
  });

  it('with bytes after the end, which nobody reads', async () => {
    const from = await hostile();
    const read = reading(from);
    const { id } = await from.asked();
    from.say({ ...STREAM, id });
    from.line.sendBytes(encodeChunk(id, Buffer.from('abc')));
    from.say({ t: 'end', id });
    from.line.sendBytes(encodeChunk(id, Buffer.from('more')));
    from.say({ t: 'end', id });
    expect(await read).toBe(3);
    await stillServed();
    expect(from.ended()).toBeUndefined();
  });

  it('with more than its credit, to a planner that does not read', async () => {
    const from = await hostile();
    const bytes = planner.client.stream('get_artifact_content', { artifact_id: from.instance.resource('art') });
    const { id } = await from.asked();
    from.say({ ...STREAM, id });
    await bytes;
    for (let sent = 0; sent <= 64 * LIMITS.wire_credit.value; sent += 1_000_000)
      from.line.sendBytes(encodeChunk(id, Buffer.alloc(1_000_000)));
    await until(() => from.ended() !== undefined);
    await until(async () => (await auditOf(from.id, 'session_ended')).includes('protocol_unsupported'));
    await stillServed();
  });

  it.each([
    ['more bytes than it said', 3, 'abcHTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nhostile'],
    ['fewer bytes than it said', 500, 'abc'],
  ])('with %s: no other answer on that connection is touched', async (_, length, body) => {
    const from = await hostile();
    const { hostname, port } = new URL(relay.url);
    const socket = connect(Number(port), hostname);
    let text = '';
    let over = false;
    socket.on('data', (part) => (text += part.toString('latin1')));
    socket.on('close', () => (over = true));
    const ask = (path: string) =>
      socket.write(`GET /api/v2${path} HTTP/1.1\r\nhost: ${hostname}:${port}\r\nauthorization: Bearer ${planner.secret}\r\n\r\n`);
    ask(`/artifacts/${from.instance.resource('art')}/content`);
    const { id } = await from.asked();
    ask(`/instances/${served.id}`);
    from.say({ ...STREAM, id, length });
    from.line.sendBytes(encodeChunk(id, Buffer.from(body)));
    from.say({ t: 'end', id });
    await until(() => over || text.includes('get_instance'));
    expect(text).not.toContain('hostile');
    expect(text.split('HTTP/1.1 200').length - 1).toBeLessThanOrEqual(2);
    await until(async () => (await auditOf(from.id, 'session_ended')).includes('protocol_unsupported'));
    socket.destroy();
    await stillServed();
  });

  it.each([
    ['start_run', 'POST', (of: Hostile) => `/instances/${of.instance.id}/runs`],
    ['get_step', 'GET', (of: Hostile) => `/steps/${of.instance.resource('step')}`],
  ])('with a page instead of the JSON of %s, inline and as a stream: it is never shown as one', async (_, method, path) => {
    for (const stream of [false, true]) {
      const from = await hostile();
      const answer = requestRaw({
        method,
        url: `${relay.url}/api/v2${path(from)}`,
        headers: { authorization: `Bearer ${planner.secret}`, 'content-type': 'application/json' },
        ...(method === 'POST' && { body: '{}' }),
      });
      const { id } = await from.asked();
      if (stream) {
        from.say({ ...STREAM, id, type: 'text/html' });
        from.line.sendBytes(encodeChunk(id, Buffer.from('<script>1</script>')));
        from.say({ t: 'end', id });
      } else from.say(`{"t":"response","id":${id},"status":200,"type":"text/html"}\n<script>1</script>`);
      const { headers, body } = await answer;
      await readAll(body);
      expect(headers['content-type']).toMatch(/^application\/json/);
      expect(headers['x-content-type-options']).toBe('nosniff');
    }
    await stillServed();
  });

  it('with headers of its own in the type', async () => {
    const from = await hostile();
    const answer = requestRaw({
      method: 'GET',
      url: `${relay.url}/api/v2/artifacts/${from.instance.resource('art')}/content`,
      headers: { authorization: `Bearer ${planner.secret}` },
    });
    const { id } = await from.asked();
    from.say({ ...STREAM, id, type: 'text/plain\r\nset-cookie: a=b' });
    from.say({ t: 'end', id });
    const { status, headers, body } = await answer;
    await readAll(body);
    expect([status, headers['set-cookie'], headers['content-type']]).toEqual([200, undefined, 'application/octet-stream']);
    await stillServed();
  });
});

describe('a connector that claims what is not its own', () => {
  const tell = async (from: Hostile): Promise<string[]> => {
    const before = from.heard.filter(({ t }) => t === 'advertised').length;
    await until(() => from.heard.filter(({ t }) => t === 'advertised').length > before);
    return from.heard.findLast(({ t }) => t === 'advertised')!.refused!.map(({ code }) => code);
  };

  it('the instance of another, with the set that was captured from it', async () => {
    const from = await hostile();
    const told = tell(from);
    from.say({ t: 'advertise', instances: [honest.descriptor(served)] });
    expect(await told).toEqual(['delegation_invalid']);
    await until(async () => (await auditOf(from.id, 'advertise')).includes('delegation_invalid'));
    await stillServed();
  });

  it('an id that routes like that of another, by a key of its own', async () => {
    const from = await hostile();
    const told = tell(from);
    const lookalike = `${served.id.slice(0, 14)}${from.instance.id.slice(14)}`;
    const mine = honest.descriptor(from.instance, { connector_key: from.key.publicKey, instance_id: lookalike });
    from.say({ t: 'advertise', instances: [{ ...mine, instance_id: lookalike }] });
    expect(await told).toEqual(['delegation_invalid']);
    await stillServed();
  });

  it('one instance twice in a set, and it has it once', async () => {
    const from = await hostile();
    const mine = honest.descriptor(from.instance, { connector_key: from.key.publicKey });
    const told = tell(from);
    from.say({ t: 'advertise', instances: [mine, mine] });
    await told;
    const { items } = await planner.client.call('list_instances', {});
    expect(items.filter(({ id }) => id === from.instance.id)).toHaveLength(1);
    await stillServed();
  });

  it('an identity that runs elsewhere: the one that was there is told, and the other is served', async () => {
    const from = await hostile();
    const clone = await testConnector(relay, undefined, from);
    await until(() => from.ended() !== undefined);
    expect(from.heard.findLast(({ t }) => t === 'refuse')).toMatchObject({ code: 'session_replaced' });
    await clone.advertise(clone.descriptor(from.instance));
    await planner.client.call('get_instance', { instance_id: from.instance.id });
    expect(clone.requests).toHaveLength(1);
    await stillServed();
  });

  it('a session, from the middle between two relays: a proof holds at the relay that asked for it alone', async () => {
    const other = await testRelay();
    const { id, key } = await enroll(other);
    await enroll(relay, key);
    const [here, there] = [await dialRelay(relay.url, systemClock), await dialRelay(other.url, systemClock)];
    const first = <T>(line: Transport): Promise<T> =>
      new Promise((resolve) => line.receive((data) => resolve(JSON.parse(data.toString()) as T)));
    const [, challenge] = await Promise.all([first(here), first<Challenge>(there)]);
    const refused = first(here);
    here.sendText(
      encodeFrame(answerChallenge(challenge, { connectorId: id, key, dialledOrigin: other.origin, pinnedRelayKey: other.key })),
    );
    expect(await refused).toMatchObject({ t: 'refuse', code: 'handshake_failed' });
    await until(async () => (await relay.audit({ action: 'handshake', outcome: 'handshake_failed' })).length > 0);
    there.destroy();
    await other.end();
    await stillServed();
  });
});

it('says how many it played', async ({ annotate }) => {
  expect(played).toBe(ENDINGS.length + 1);
  await annotate(`${played + 15} attacks of a hostile connector on the relay`, 'count');
});
