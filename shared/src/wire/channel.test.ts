import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../contract/error-table.ts';
import { FairleadError } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';
import { manualClock, systemClock, type Clock } from '../kit/clock.ts';
import { createAnsweringChannel } from './answering-channel.ts';
import type { Ending } from './ending.ts';
import type { AnswerHandler, ChannelEnd, RequestingChannel, RequestOptions, WireRequest } from './exchange.ts';
import type { Advertised, Descriptor } from './frames.ts';
import { memoryPair } from './memory-pair.ts';
import { createRequestingChannel } from './requesting-channel.ts';

const INSTANCES = ['a', 'b', 'c'].map((letter) => `ins_${letter.repeat(26)}`);

const asked = (operation = 'get_step', more: Partial<WireRequest> = {}): WireRequest => ({
  operation,
  instance_id: INSTANCES[0]!,
  input: { step_id: 'step_x' },
  time_left_ms: 1000,
  principal: { id: 'p', name: 'Planner' },
  authority: 'relay_asserted',
  ...more,
});

const READ: RequestOptions = { effect: 'read' };
const WRITE: RequestOptions = { effect: 'write' };
const json = (value: unknown) => ({ status: 200, type: 'application/json', body: Buffer.from(JSON.stringify(value)) });

const join = (handle: AnswerHandler, clock: Clock = systemClock) => {
  const pair = memoryPair();
  const ends: { relay?: ChannelEnd; connector?: ChannelEnd } = {};
  const advertised: Omit<Advertised, 't'>[] = [];
  const advertises: (readonly Descriptor[])[] = [];
  const relay = createRequestingChannel(pair.left.transport, clock, {
    onAdvertise: (instances) => void advertises.push(instances),
    onEnd: (end) => {
      ends.relay = end;
    },
  });
  const connector = createAnsweringChannel(pair.right.transport, clock, {
    handle,
    onAdvertised: (result) => void advertised.push(result),
    onEnd: (end) => {
      ends.connector = end;
    },
  });
  return { pair, relay, connector, ends, advertised, advertises };
};

const codeOf = (promise: Promise<unknown>): Promise<ErrorCode | 'none'> =>
  promise.then(
    () => 'none' as const,
    (error: unknown) => (error as FairleadError).code,
  );

const textOf = async (body: Buffer | AsyncIterable<Uint8Array>): Promise<string> => {
  if (Buffer.isBuffer(body)) return body.toString();
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts).toString();
};

const turns = async (count = 3) => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};

describe('one request', () => {
  it('carries the request as it is and the answer as the bytes that came', async () => {
    const seen: WireRequest[] = [];
    const body = Buffer.from('{"b" : 1,  "text":"ü"}');
    const { relay } = join(async (request) => {
      seen.push(request);
      return { status: 201, type: 'application/json', body };
    });
    const request = asked('submit_task', { idempotency_key: 'k', accept: 'json' });
    const answer = await relay.request(request, WRITE);
    expect(seen).toEqual([request]);
    expect(answer).toEqual({ status: 201, type: 'application/json', body });
    expect(relay.pending).toBe(0);
  });

  it('carries problems with their code, and hides what is no FairleadError', async () => {
    const { relay } = join(async ({ operation }) => {
      if (operation === 'get_step') throw new FairleadError('grant_denied', { field: 'f', hint: 'ask', more: { available: ['x'] } });
      throw new Error('secret path /home/x');
    });
    const denied = (await relay.request(asked(), READ).catch((error: unknown) => error)) as FairleadError;
    expect(denied.toProblem()).toMatchObject({ code: 'grant_denied', field: 'f', hint: 'ask', available: ['x'] });
    const hidden = (await relay.request(asked('x'), READ).catch((error: unknown) => error)) as FairleadError;
    expect(JSON.stringify(hidden.toProblem())).not.toContain('secret');
    expect(hidden.code).toBe('internal');
  });

  it('tells events before the answer', async () => {
    const { relay } = join(async (_, context) => {
      context.event({ percent: 50 });
      return json({});
    });
    const events: unknown[] = [];
    await relay.request(asked(), { ...READ, onEvent: (data) => events.push(data) });
    expect(events).toEqual([{ percent: 50 }]);
  });

  it('answers many at once, each with its own, in whatever order they end', async () => {
    const { relay } = join(async ({ input }) => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
      return json(input);
    });
    const numbers = Array.from({ length: 100 }, (_, index) => index);
    const answers = await Promise.all(
      numbers.map(
        async (number) => JSON.parse(await textOf((await relay.request(asked('get_step', { input: { number } }), READ)).body)) as unknown,
      ),
    );
    expect(answers).toEqual(numbers.map((number) => ({ number })));
  });
});

describe('deadlines and hanging up', () => {
  it('a read that takes too long is cancelled over there; a write goes on and its outcome is unknown', async () => {
    const clock = manualClock();
    const aborted: string[] = [];
    const { relay } = join(async ({ operation }, { until }) => {
      await new Promise((resolve) => until.onEnd(resolve));
      aborted.push(operation);
      return json({});
    }, clock);
    const read = codeOf(relay.request(asked('get_step', { time_left_ms: 5000 }), READ));
    const write = codeOf(relay.request(asked('submit_task', { time_left_ms: 5000 }), WRITE));
    await turns();
    await clock.advance(4999);
    expect(relay.pending).toBe(2);
    await clock.advance(1);
    expect(await read).toBe('deadline_exceeded');
    expect(await write).toBe('outcome_unknown');
    expect(relay.pending).toBe(0);
  });

  it('hanging up cancels a read on the other side at once', async () => {
    let reason: unknown;
    const { relay, connector } = join(async (_, { until }) => {
      await new Promise((resolve) => until.onEnd(resolve));
      reason = until.why;
      throw until.why!;
    });
    const controller = new AbortController();
    const waiting = relay.request(asked(), { ...READ, signal: controller.signal }).catch((error: unknown) => error);
    await turns();
    controller.abort(new Error('gone'));
    expect(await waiting).toEqual(new Error('gone'));
    await turns();
    expect((reason as FairleadError).code).toBe('deadline_exceeded');
    expect(connector.pending).toBe(0);
  });

  it('hanging up on a write sends no cancel', async () => {
    const { relay, pair } = join(async (_, { until }) => {
      await turns(5);
      return json({ ended: until.why !== undefined });
    });
    const controller = new AbortController();
    const waiting = relay.request(asked('submit_task'), { ...WRITE, signal: controller.signal }).catch(() => {});
    await turns(1);
    controller.abort();
    await waiting;
    await turns(10);
    expect(pair.left.sent.map(({ data }) => data.toString()).filter((text) => text.includes('cancel'))).toEqual([]);
    expect(pair.right.sent.at(-1)!.data.toString()).toContain('"ended":false');
  });

  it('a signal that was aborted before fails without sending', async () => {
    const { relay, pair } = join(async () => json({}));
    await expect(relay.request(asked(), { ...READ, signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before');
    expect(pair.left.sent).toHaveLength(0);
  });
});

describe('the end of the line', () => {
  it('fails everything at once: reads as offline, writes that were sent as unknown', async () => {
    const endings: Ending[] = [];
    const { relay, connector, pair, ends } = join((_, { until }) => {
      endings.push(until);
      return new Promise(() => {});
    });
    const read = codeOf(relay.request(asked(), READ));
    const write = codeOf(relay.request(asked('submit_task'), WRITE));
    const decide = codeOf(relay.request(asked('approve_gate'), { effect: 'decide' }));
    await turns();
    pair.cut();
    expect(await Promise.all([read, write, decide])).toEqual(['connector_offline', 'outcome_unknown', 'outcome_unknown']);
    expect(ends.relay?.code).toBeUndefined();
    expect(endings.map(({ why }) => (why as FairleadError).code)).toEqual(Array(3).fill('connector_offline'));
    expect(await codeOf(relay.request(asked('submit_task'), WRITE))).toBe('connector_offline');
    expect(connector.pending).toBe(3);
  });

  it('a write whose answer is held back when the line is cut is unknown, though it was done', async () => {
    let done = 0;
    const { relay, pair } = join(async () => {
      done++;
      return json({});
    });
    pair.right.fence();
    const write = codeOf(relay.request(asked('submit_task'), WRITE));
    await turns();
    pair.cut();
    expect([await write, done]).toEqual(['outcome_unknown', 1]);
  });

  it('a refusal is told with its code, and ends both sides', async () => {
    const { relay, ends } = join(() => new Promise(() => {}));
    const write = codeOf(relay.request(asked('submit_task'), WRITE));
    await turns();
    relay.refuse('session_replaced');
    expect(await write).toBe('outcome_unknown');
    await turns();
    expect(ends.relay?.code).toBe('session_replaced');
    expect(ends.connector).toMatchObject({ code: 'session_replaced', spread: undefined });
  });

  it('a relay that drains tells over how long it wants its connectors back', async () => {
    const { relay, ends } = join(() => new Promise(() => {}));
    relay.refuse('draining', 4000);
    await turns();
    expect(ends.connector).toMatchObject({ code: 'draining', spread: 4000 });
  });

  it('a connector that closes in good order ends the session once', async () => {
    const { relay, connector, ends } = join(async () => json({}));
    connector.close('stopping');
    await turns();
    expect(ends.relay).toEqual({ code: undefined, detail: 'stopping' });
    expect(await codeOf(relay.request(asked(), READ))).toBe('connector_offline');
  });
});

describe('streams', () => {
  const bytes = (length: number) => Buffer.alloc(length, 'abcdefghij');

  it('passes a large body with little in memory: no more than the credit is ever ahead of the reader', async () => {
    let produced = 0;
    const total = 64;
    const piece = bytes(300_000);
    const { relay, connector } = join(async () => ({
      status: 200,
      type: 'application/octet-stream',
      length: total * piece.length,
      body: (async function* () {
        for (let index = 0; index < total; index++) {
          produced += piece.length;
          yield piece;
        }
      })(),
    }));
    const answer = await relay.request(asked('get_artifact_content', { accept: 'bytes', time_left_ms: 30_000 }), READ);
    expect(answer.length).toBe(total * piece.length);
    let read = 0;
    let ahead = 0;
    for await (const part of answer.body as AsyncIterable<Uint8Array>) {
      read += part.length;
      await turns(2);
      ahead = Math.max(ahead, produced - read);
    }
    expect(read).toBe(total * piece.length);
    expect(ahead).toBeLessThanOrEqual(LIMITS.wire_credit.value + piece.length);
    expect(relay.pending).toBe(0);
    await turns();
    expect(connector.pending).toBe(0);
  });

  it('carries JSON above the inline limit as a stream', async () => {
    const value = { text: 'x'.repeat(LIMITS.inline_json.value) };
    const { relay, pair } = join(async () => json(value));
    const answer = await relay.request(asked(), READ);
    expect(Buffer.isBuffer(answer.body)).toBe(false);
    expect(answer.type).toBe('application/json');
    expect(JSON.parse(await textOf(answer.body))).toEqual(value);
    expect(Math.max(...pair.right.sent.map(({ data }) => data.length))).toBeLessThanOrEqual(LIMITS.wire_chunk.value + 4);
  });

  it('a reader that stops early stops the source', async () => {
    let closed = false;
    const { relay, connector } = join(async () => ({
      status: 200,
      type: 'application/octet-stream',
      body: (async function* () {
        try {
          for (;;) yield bytes(100_000);
        } finally {
          closed = true;
        }
      })(),
    }));
    const answer = await relay.request(asked(), READ);
    for await (const _ of answer.body as AsyncIterable<Uint8Array>) break;
    await turns(20);
    expect(closed).toBe(true);
    expect(connector.pending).toBe(0);
    expect(relay.pending).toBe(0);
  });

  it('a source that breaks, or a line that breaks, never looks like an end', async () => {
    const broken = async function* () {
      yield bytes(10);
      throw new FairleadError('artifact_corrupt');
    };
    const one = join(async () => ({ status: 200, type: 'application/octet-stream', body: broken() }));
    expect(await codeOf(one.relay.request(asked(), READ).then(({ body }) => textOf(body)))).toBe('artifact_corrupt');

    const endless = async function* () {
      yield bytes(10);
      await new Promise(() => {});
    };
    const two = join(async () => ({ status: 200, type: 'application/octet-stream', body: endless() }));
    const answer = await two.relay.request(asked(), READ);
    const reading = codeOf(textOf(answer.body));
    await turns();
    two.pair.cut();
    expect(await reading).toBe('connector_offline');
  });

  it('a stream ends with the deadline of its request', async () => {
    const clock = manualClock();
    const { relay, connector } = join(
      async (_, { until }) => ({
        status: 200,
        type: 'text/event-stream',
        body: (async function* () {
          yield bytes(1);
          await new Promise((__, reject) => until.onEnd(reject));
        })(),
      }),
      clock,
    );
    const answer = await relay.request(asked('list_events', { accept: 'events' }), READ);
    const reading = codeOf(textOf(answer.body));
    await clock.advance(1000);
    expect(await reading).toBe('deadline_exceeded');
    await turns(5);
    expect(connector.pending).toBe(0);
  });
});

describe('bounds and fairness', () => {
  const flood = (relay: RequestingChannel, count: number, instance: string) =>
    Array.from({ length: count }, () => codeOf(relay.request(asked('get_step', { instance_id: instance }), READ)));

  it('one noisy instance cannot fill the session', async () => {
    const { relay } = join(({ instance_id }) => (instance_id === INSTANCES[0] ? new Promise(() => {}) : Promise.resolve(json({}))));
    const limit = LIMITS.wire_pending_per_instance.value;
    const noisy = flood(relay, limit + 5, INSTANCES[0]!);
    expect(await Promise.all(noisy.slice(limit))).toEqual(Array(5).fill('rate_limited'));
    expect(await Promise.all(flood(relay, 20, INSTANCES[1]!))).toEqual(Array(20).fill('none'));
    relay.refuse('draining');
    expect(new Set(await Promise.all(noisy.slice(0, limit)))).toEqual(new Set(['connector_offline']));
  });

  it('one planner with many instances cannot fill the session', async () => {
    const { relay } = join(({ principal }) => (principal.id === 'planner:noisy' ? new Promise(() => {}) : Promise.resolve(json({}))));
    const [limit, each] = [LIMITS.wire_pending_per_principal.value, LIMITS.wire_pending_per_instance.value];
    const instances = Array.from({ length: Math.ceil(limit / each) + 1 }, (_, at) => `ins_${'abcdefg'[at]!.repeat(26)}`);
    const of = (id: string, instance_id: string, operation = 'get_step') =>
      codeOf(relay.request(asked(operation, { instance_id, principal: { id, name: 'a planner' } }), READ));
    const noisy = Array.from({ length: limit }, (_, at) => of('planner:noisy', instances[Math.floor(at / each)]!));
    expect(await of('planner:noisy', instances.at(-1)!)).toBe('rate_limited');
    expect(await of('planner:quiet', instances.at(-1)!)).toBe('none');
    relay.refuse('draining');
    expect(new Set(await Promise.all(noisy))).toEqual(new Set(['connector_offline']));
  });

  it("a small answer does not wait for another instance's large ones", async () => {
    const { relay, pair } = join(async ({ instance_id }) =>
      json(instance_id === INSTANCES[0] ? { text: 'x'.repeat(2_000_000) } : { small: true }),
    );
    pair.right.fence();
    const large = Array.from({ length: 30 }, () => relay.request(asked('get_step', { time_left_ms: 60_000 }), READ));
    await turns();
    const small = relay.request(asked('get_step', { instance_id: INSTANCES[1]!, time_left_ms: 60_000 }), READ);
    await turns();
    let largeDone = 0;
    for (const one of large) void one.then(() => largeDone++);
    pair.right.lift();
    await small;
    expect(largeDone).toBeLessThan(5);
    await Promise.all(large);
  });
});

describe('advertising', () => {
  it('carries the set and what became of it', async () => {
    const { connector, relay, advertised, advertises } = join(async () => json({}));
    connector.advertise([]);
    await turns();
    relay.advertised({ accepted: [], refused: [{ instance_id: INSTANCES[0]!, code: 'instance_moved' }] });
    await turns();
    expect(advertises).toEqual([[]]);
    expect(advertised).toEqual([{ accepted: [], refused: [{ instance_id: INSTANCES[0]!, code: 'instance_moved' }] }]);
  });
});
