import type { Socket } from 'node:net';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { encodeFrame } from '@fairlead/shared/wire/codec';
import { makeChallenge } from '@fairlead/shared/wire/handshake';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { askFor, type LiveSession } from '../../connector/test/relay-double.ts';
import { until } from '../rig/processes.ts';
import { raiseStage, type Stage } from './stage.ts';

/**
 * A relay that has proved itself with the pinned key, and then breaks the protocol. Promise 1: the relay can deny, never widen. Each
 * attack must end the session with a code, be told in the log, do nothing in the daemon, and leave a connector that comes back by itself.
 */
let stage: Stage;
let before: { readonly refs: string; readonly events: number };
let played = 0;

const events = async (): Promise<number> =>
  (await stage.owner.call('list_events', { instance_id: stage.shared.id, limit: 500 })).items.length;

/** The text of a request frame, with any part of it replaced as text: no honest encoder would write it. */
const request = (more: Record<string, unknown> = {}, id: number = 900): string =>
  encodeFrame({
    t: 'request',
    id,
    ...askFor('get_instance', stage.shared.id, { instance_id: stage.shared.id }),
    ...more,
  } as never);
const spoil = (from: string, to: string): string => request().replace(from, to);
const nested = (depth: number): string => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth);

export type Attack = readonly [name: string, code: string, play: (session: LiveSession) => void];

const text = (name: string, code: string, of: () => string): Attack => [name, code, ({ transport }) => transport.sendText(of())];

/** Asks for a stream that the daemon holds open, so that its number stays in use. */
const heldStream = () =>
  askFor('list_events', stage.shared.id, { instance_id: stage.shared.id }, { accept: 'events', time_left_ms: 20_000 });

export const ATTACKS: readonly Attack[] = [
  text('a frame of no known type', 'protocol_unsupported', () => '{"t":"shell","id":1,"command":"id"}'),
  text('a frame that is not JSON', 'malformed_json', () => '{"t":"request",'),
  text('a frame whose type is said twice', 'malformed_json', () => spoil('{"t":"request"', '{"t":"request","t":"cancel"')),
  text('an input with a name twice', 'malformed_json', () =>
    spoil('"operation":"get_instance"', '"operation":"get_instance","operation":"halt"'),
  ),
  text('an input with __proto__', 'malformed_json', () => spoil('"input":{', '"input":{"__proto__":{"remote":false},')),
  text('an input 33 levels deep', 'malformed_json', () => spoil('"input":{', `"input":{"deep":${nested(33)},`)),
  text('a number that is no safe integer', 'malformed_json', () => spoil('"time_left_ms":10000', '"time_left_ms":9007199254740993')),
  text('half a surrogate pair', 'malformed_json', () => spoil('"name":"Planner"', '"name":"\\ud800"')),
  text('a method and a path beside the operation', 'invalid_input', () => request({ method: 'POST', path: '/api/v1/halt' })),
  text('a command line beside the operation', 'invalid_input', () => request({ argv: ['sh', '-c', 'id'] })),
  text('an authority that is none', 'invalid_input', () => request({ authority: 'owner_signed' })),
  text('a principal with a role', 'invalid_input', () => request({ principal: { id: 'p', name: 'P', role: 'operator' } })),
  text('the number 0', 'invalid_input', () => request({}, 0)),
  text('a number beyond the stream numbers', 'invalid_input', () => request({}, 2 ** 32)),
  text('time that has run backwards', 'invalid_input', () => request({ time_left_ms: -1 })),
  text('time without end', 'invalid_input', () => request({ time_left_ms: LIMITS.stream_deadline.value + 1 })),
  text('time as a date', 'invalid_input', () => request({ time_left_ms: '2030-01-01T00:00:00Z' })),
  text('an instance id that is none', 'invalid_input', () => request({ instance_id: '../other' })),
  text('a key of no length', 'invalid_input', () => request({ idempotency_key: '' })),
  text('a second handshake', 'protocol_unsupported', () =>
    encodeFrame(makeChallenge({ origin: stage.relay.origin, publicKey: stage.relay.key.publicKey })),
  ),
  text('a frame that only connectors send', 'protocol_unsupported', () => '{"t":"advertise","instances":[]}'),
  text('an answer to what was never asked', 'protocol_unsupported', () => '{"t":"response","id":1,"status":200}'),
  text('credit of nothing', 'invalid_input', () => '{"t":"credit","id":1,"bytes":0}'),
  text('credit beyond the window', 'invalid_input', () => `{"t":"credit","id":1,"bytes":${LIMITS.wire_credit.value + 1}}`),
  text('an acknowledgement of nothing', 'invalid_input', () => '{"t":"advertised","accepted":"all"}'),
  ['bytes', 'protocol_unsupported', ({ transport }) => transport.sendBytes(Buffer.from([0, 0, 0, 1, 120]))],
  [
    'one number for two requests',
    'protocol_unsupported',
    ({ transport }) => {
      const twice = encodeFrame({ t: 'request', id: 901, ...heldStream() } as never);
      transport.sendText(twice);
      transport.sendText(twice);
    },
  ],
  [
    'credit for a stream that holds as much already',
    'protocol_unsupported',
    ({ channel, transport }) => {
      // The first request of this line; once it is answered, its stream is there.
      void channel
        .request(heldStream(), { effect: 'read' })
        .then(() => transport.sendText(`{"t":"credit","id":1,"bytes":${LIMITS.wire_credit.value}}`));
    },
  ],
];

export type SocketAttack = readonly [name: string, play: (socket: Socket, session: LiveSession) => void];

/** Attacks below the frames, on the socket itself. They end the line without a code of the protocol. */
export const BELOW_THE_FRAMES: readonly SocketAttack[] = [
  ['a message larger than any may be', (_, { transport }) => transport.sendText('x'.repeat(LIMITS.wire_frame.value + 1))],
  ['text that is no UTF-8', (socket) => socket.write(Buffer.from([0x81, 0x02, 0xc3, 0x28]))],
  ['a compressed frame, which was not agreed on', (socket) => socket.write(Buffer.from([0xc1, 0x01, 0x00]))],
  ['a masked frame, as only clients send', (socket) => socket.write(Buffer.from([0x81, 0x81, 1, 2, 3, 4, 0x7a]))],
  ['a continuation of nothing', (socket) => socket.write(Buffer.from([0x80, 0x01, 0x7b]))],
  ['a frame that breaks off in the middle', (socket) => (socket.write(Buffer.from([0x81, 0x7e, 0x10, 0x00, 0x7b])), socket.destroy())],
  ['noise', (socket) => socket.write(Buffer.alloc(4096, 0xff))],
];

const anew = async (): Promise<LiveSession> => {
  const former = stage.relay.sessions.at(-1);
  await stage.restart('connector');
  await until('the new connector has come', () => Promise.resolve(stage.relay.sessions.at(-1) !== former));
  return stage.session();
};

/** The daemon did nothing, the owner's branch is where it was, and the same connector serves an honest request on a new line. */
const unharmed = async (attacked: LiveSession): Promise<void> => {
  await until('the connector dials again', () => Promise.resolve(stage.relay.sessions.at(-1) !== attacked));
  await stage.session();
  expect((await stage.ask('get_instance', stage.shared, { instance_id: stage.shared.id })).id).toBe(stage.shared.id);
  expect({ refs: stage.refs(stage.shared), events: await events() }).toEqual(before);
};

/** Plays attacks on frames and on the socket below them. */
export const framesSuite = (attacks: readonly Attack[], below: readonly SocketAttack[]): void => {
  beforeAll(async () => {
    stage = await raiseStage();
    await stage.session();
    before = { refs: stage.refs(stage.shared), events: await events() };
  }, 60_000);
  afterAll(() => stage.close());
  afterEach(() => void (played += 1));

  it.each(attacks)('%s', { timeout: 60_000 }, async (_, code, play) => {
    const session = await anew();
    play(session);
    await until(`the log says ${code}`, () => Promise.resolve(stage.log().includes(`"code":"${code}"`)));
    await unharmed(session);
  });

  it.each(below)('%s', { timeout: 60_000 }, async (_, play) => {
    const session = await anew();
    play(stage.relay.socket(), session);
    await unharmed(session);
    expect(stage.log()).toContain('the line to the relay is down');
  });

  it(
    'is told by the status command while the line is down, with its code and when it will be tried again',
    { timeout: 60_000 },
    async ({ annotate }) => {
      expect(played).toBe(attacks.length + below.length);
      await annotate(`${played} attacks of a hostile relay on the wire`, 'count');
      await anew();
      await stage.relay.close();
      const { code, stdout } = await until('the status says so', async () => {
        const told = await stage.run('connector', 'status', '--json');
        return (JSON.parse(told.stdout) as { state: string }).state === 'error' && told;
      });
      expect(code).toBe(5);
      expect(JSON.parse(stdout)).toMatchObject({
        state: 'error',
        last_error: { code: 'relay_not_running' },
        next_try_ms: expect.any(Number),
      });
    },
  );
};
