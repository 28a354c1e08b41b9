import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../contract/error-table.ts';
import type { FairleadError } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';
import { systemClock } from '../kit/clock.ts';
import { createAnsweringChannel } from './answering-channel.ts';
import type { AnswerHandler, ChannelEnd, RequestOptions, WireRequest } from './exchange.ts';
import { memoryPair } from './memory-pair.ts';
import { createRequestingChannel } from './requesting-channel.ts';

const READ: RequestOptions = { effect: 'read' };
const asked = (): WireRequest => ({
  operation: 'get_step',
  instance_id: `ins_${'a'.repeat(26)}`,
  input: { step_id: 'step_x' },
  time_left_ms: 1000,
  principal: { id: 'p', name: 'Planner' },
  authority: 'relay_asserted',
});
const json = (value: unknown) => ({ status: 200, type: 'application/json', body: Buffer.from(JSON.stringify(value)) });

const codeOf = (promise: Promise<unknown>): Promise<ErrorCode | 'none'> =>
  promise.then(
    () => 'none' as const,
    (error: unknown) => (error as FairleadError).code,
  );

const textOf = async (body: Buffer | AsyncIterable<Uint8Array>): Promise<string> => {
  const parts: Uint8Array[] = [];
  for await (const part of Buffer.isBuffer(body) ? [body] : body) parts.push(part);
  return Buffer.concat(parts).toString();
};

const turns = async (count = 3) => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};

describe('a hostile peer', () => {
  const rawRelay = (handle: AnswerHandler = async () => json({})) => {
    const pair = memoryPair();
    let end: ChannelEnd | undefined;
    const connector = createAnsweringChannel(pair.right.transport, systemClock, {
      handle,
      onAdvertised: () => {},
      onEnd: (why) => void (end = why),
    });
    return {
      pair,
      connector,
      say: (text: string | Buffer) => (typeof text === 'string' ? pair.left.transport.sendText(text) : pair.left.transport.sendBytes(text)),
      end: () => end,
    };
  };
  const request = JSON.stringify({ t: 'request', id: 1, ...asked() });

  it.each([
    [
      'a duplicate member',
      request.replace('"operation":"get_step"', '"operation":"get_step","operation":"approve_gate"'),
      'malformed_json',
    ],
    ['__proto__', request.replace('"step_id"', '"__proto__"'), 'malformed_json'],
    ['an unsafe integer', request.replace('"step_x"', '9007199254740993'), 'malformed_json'],
    ['a lone surrogate', request.replace('step_x', '\\ud800'), 'malformed_json'],
    ['depth', request.replace('"step_x"', '['.repeat(40) + ']'.repeat(40)), 'malformed_json'],
    ['an unknown field', request.replace('"id":1', '"id":1,"method":"GET"'), 'invalid_input'],
    ['an unknown frame type', '{"t":"execute","argv":["rm"]}', 'protocol_unsupported'],
    ['a frame of the other direction', '{"t":"advertise","instances":[]}', 'protocol_unsupported'],
    ['a type that does not come first', '{"id":1,"t":"cancel"}', 'protocol_unsupported'],
    ['a handshake frame', JSON.stringify({ t: 'refuse' }), 'invalid_input'],
    ['a wait of ten years', JSON.stringify({ t: 'refuse', code: 'draining', spread_ms: 315_360_000_000 }), 'invalid_input'],
    ['a binary frame', Buffer.from([0, 0, 0, 1, 2]), 'protocol_unsupported'],
    ['no JSON', 'hello', 'protocol_unsupported'],
  ])('a relay that sends %s loses its session', async (_, text, code) => {
    const handled: WireRequest[] = [];
    const { say, end } = rawRelay(async (asking) => {
      handled.push(asking);
      return json({});
    });
    say(text);
    await turns();
    expect(end()?.code).toBe(code);
    expect(handled).toEqual([]);
  });

  it('a relay that asks beyond the limits is refused per request', async () => {
    const { say, pair, connector } = rawRelay(() => new Promise(() => {}));
    const limit = LIMITS.wire_pending_per_instance.value;
    for (let id = 1; id <= limit + 3; id++) say(JSON.stringify({ t: 'request', id, ...asked() }));
    await turns();
    expect(connector.pending).toBe(limit);
    expect(pair.right.sent.map(({ data }) => data.toString()).filter((text) => text.includes('rate_limited'))).toHaveLength(3);
  });

  it('a relay that uses a number twice loses its session', async () => {
    const { say, end } = rawRelay(() => new Promise(() => {}));
    say(request);
    say(request);
    await turns();
    expect(end()?.code).toBe('protocol_unsupported');
  });

  const rawConnector = () => {
    const pair = memoryPair();
    let end: ChannelEnd | undefined;
    const relay = createRequestingChannel(pair.left.transport, systemClock, { onAdvertise: () => {}, onEnd: (why) => void (end = why) });
    return {
      relay,
      say: (text: string | Buffer) =>
        typeof text === 'string' ? pair.right.transport.sendText(text) : pair.right.transport.sendBytes(text),
      end: () => end,
    };
  };
  const chunk = (id: number, length: number) => {
    const message = Buffer.alloc(4 + length);
    message.writeUInt32BE(id);
    return message;
  };

  it.each([
    ['an answer to what was never asked', '{"t":"response","id":7,"status":200}\n{}'],
    ['an end without a stream', '{"t":"end","id":1}'],
    ['a body behind another frame', '{"t":"event","id":1,"data":{}}\n{}'],
    ['a short binary frame', Buffer.from([1, 2])],
    ['a request of its own', `{"t":"request","id":1}`],
  ])('a connector that sends %s loses its session, and nothing hangs', async (_, text) => {
    const { relay, say, end } = rawConnector();
    const waiting = codeOf(relay.request(asked(), READ));
    await turns();
    say(text);
    expect(await waiting).toBe('connector_offline');
    expect(end()?.code).toBe('protocol_unsupported');
  });

  it('a connector that sends more than its credit loses its session', async () => {
    const { relay, say, end } = rawConnector();
    const waiting = relay.request(asked(), READ);
    await turns();
    say('{"t":"response","id":1,"status":200,"stream":true,"type":"application/octet-stream"}');
    const { body } = await waiting;
    say(chunk(1, LIMITS.wire_credit.value));
    await turns();
    expect(end()).toBeUndefined();
    say(chunk(1, 1));
    await turns();
    expect(end()?.code).toBe('protocol_unsupported');
    expect(await codeOf(textOf(body))).toBe('connector_offline');
  });

  it('late answers to what was given up are ignored', async () => {
    const { relay, say, end } = rawConnector();
    const controller = new AbortController();
    const waiting = codeOf(relay.request(asked(), { ...READ, signal: controller.signal }));
    await turns();
    controller.abort();
    await waiting;
    say('{"t":"response","id":1,"status":200}\n{}');
    say(chunk(1, 5));
    say('{"t":"end","id":1}');
    say('{"t":"error","id":1,"problem":{"type":"x","title":"x","status":400,"code":"x"}}');
    await turns();
    expect(end()).toBeUndefined();
  });

  it('answers of a newer peer are read tolerantly', async () => {
    const { relay, say } = rawConnector();
    const waiting = relay.request(asked(), READ);
    await turns();
    say('{"t":"response","id":1,"status":200,"later":true}\n{"x":1}');
    expect((await waiting).body.toString()).toBe('{"x":1}');
  });
});
