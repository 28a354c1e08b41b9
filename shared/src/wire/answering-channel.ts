import { ERRORS, type ErrorCode } from '../contract/error-table.ts';
import { FairleadError } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';
import type { Clock } from '../kit/clock.ts';
import { createOutgoingCredit, type OutgoingCredit } from './byte-stream.ts';
import { decodeFromRelay, encodeChunk, encodeFrame, encodeResponse } from './codec.ts';
import { EndingSource } from './ending.ts';
import type { AnsweringChannel, AnsweringChannelOptions, AnsweringContext, ChannelEnd, WireAnswer } from './exchange.ts';
import { createFairWriter } from './fair-writer.ts';
import type { RelayFrame, Request, Response } from './frames.ts';
import { InFlight, whoAsks } from './in-flight.ts';
import { CLOSE, type Transport } from './transport.ts';

interface Served {
  readonly instance: string;
  readonly context: AnsweringContext;
  /** Nobody waits for the answer any more. */
  dropped: boolean;
  credit: OutgoingCredit | undefined;
  readonly until: EndingSource;
  release: () => void;
}

const problemOf = (error: unknown) =>
  (error instanceof FairleadError ? error : new FairleadError('internal', { cause: error })).toProblem();

async function* once(body: Buffer): AsyncIterable<Uint8Array> {
  yield body;
}

/**
 * The connector's side of a session, over a transport whose handshake is done. It bounds what it serves by itself: a relay that asks
 * for more than the limits is told so and costs nothing else.
 */
export const createAnsweringChannel = (
  transport: Transport,
  clock: Clock,
  { handle, onAdvertised, onEnd }: AnsweringChannelOptions,
): AnsweringChannel => {
  const serving = new Map<number, Served>();
  const inFlight = new InFlight();
  const writer = createFairWriter(transport);
  let refusedWith: ChannelEnd | undefined;
  let ended = false;

  const drop = (served: Served, reason: Error) => {
    served.dropped = true;
    served.credit?.stop();
    served.until.end(reason);
  };

  const finish = (code: ErrorCode | undefined, detail: string) => {
    if (ended) return;
    ended = true;
    transport.receive(() => {});
    for (const served of serving.values())
      drop(served, new FairleadError('connector_offline', { detail: 'The line to the relay has ended.' }));
    writer.flush();
    onEnd(refusedWith ?? { code, detail });
  };

  const violated = (error: unknown) => {
    const known = error instanceof FairleadError ? error : new FairleadError('internal', { cause: error });
    transport.close(CLOSE.violation, known.code);
    finish(known.code, known.message);
  };

  /** Sends one message when it is the instance's turn, unless nobody waits for it any more. */
  const send = (served: Served, message: () => void): Promise<void> =>
    new Promise((resolve, reject) => {
      if (ended) return reject(new FairleadError('connector_offline'));
      writer.write(served.instance, () => {
        if (!served.dropped) message();
        resolve();
      });
    });

  const sendStream = async (served: Served, head: Response, body: AsyncIterable<Uint8Array>): Promise<void> => {
    const credit = (served.credit = createOutgoingCredit());
    if (served.dropped) credit.stop();
    await send(served, () => transport.sendText(encodeFrame(head)));
    let end: { problem?: ReturnType<typeof problemOf> } = {};
    try {
      for await (const bytes of body) {
        for (let at = 0; at < bytes.length;) {
          const count = await credit.take(Math.min(bytes.length - at, LIMITS.wire_chunk.value));
          const part = bytes.subarray(at, at + count);
          await send(served, () => transport.sendBytes(encodeChunk(head.id, part)));
          at += count;
        }
      }
    } catch (error) {
      end = { problem: problemOf(error) };
    }
    await send(served, () => transport.sendText(encodeFrame({ t: 'end', id: head.id, ...end })));
  };

  const sendAnswer = (served: Served, id: number, { status, type, body, length }: WireAnswer): Promise<void> => {
    if (Buffer.isBuffer(body) && body.length <= LIMITS.inline_json.value && type === 'application/json') {
      const message = encodeResponse({ t: 'response', id, status }, body);
      return send(served, () => transport.sendText(message));
    }
    const whole = Buffer.isBuffer(body);
    const known = whole ? body.length : length;
    const head: Response = { t: 'response', id, status, type, stream: true, ...(known !== undefined && { length: known }) };
    return sendStream(served, head, whole ? once(body) : body);
  };

  const enter = (frame: Request): Served => {
    const { id, instance_id: instance, time_left_ms: timeLeft } = frame;
    const who = whoAsks(frame);
    const until = new EndingSource();
    const cancelTimer = clock.after(timeLeft, () => drop(served, new FairleadError('deadline_exceeded')));
    const served: Served = {
      instance,
      dropped: false,
      credit: undefined,
      context: {
        until,
        event: (data) => {
          if (!ended && !served.dropped) transport.sendText(encodeFrame({ t: 'event', id, data: { ...data } }));
        },
      },
      until,
      release: () => {
        cancelTimer();
        serving.delete(id);
        inFlight.leave(who);
      },
    };
    serving.set(id, served);
    inFlight.enter(who);
    return served;
  };

  const serve = async (frame: Request): Promise<void> => {
    const { t: _, id, ...request } = frame;
    if (serving.has(id)) throw new FairleadError('protocol_unsupported', { detail: 'The relay used the number of a request twice.' });
    if (inFlight.refuses(frame)) {
      // A relay that floods without reading the refusals must not fill this process with them.
      if (transport.buffered > LIMITS.wire_frame.value)
        throw new FairleadError('rate_limited', { detail: 'The relay asks more than it reads.' });
      return transport.sendText(encodeFrame({ t: 'error', id, problem: problemOf(new FairleadError('rate_limited')) }));
    }
    const served = enter(frame);
    try {
      const answer = await handle(request, served.context);
      if (ended) await stopReading(answer);
      else await sendAnswer(served, id, answer);
    } catch (error) {
      if (!ended && !served.dropped) transport.sendText(encodeFrame({ t: 'error', id, problem: problemOf(error) }));
    } finally {
      served.release();
    }
  };

  const dispatch = (frame: RelayFrame): void => {
    switch (frame.t) {
      case 'request':
        return void serve(frame).catch(violated);
      case 'cancel': {
        const served = serving.get(frame.id);
        return served && drop(served, new FairleadError('deadline_exceeded', { detail: 'The asker has gone.' }));
      }
      case 'credit': {
        const given = serving.get(frame.id)?.credit?.give(frame.bytes) ?? true;
        if (!given) throw new FairleadError('protocol_unsupported', { detail: 'The relay gave more credit than there is.' });
        return;
      }
      case 'advertised':
        return onAdvertised({ accepted: frame.accepted, refused: frame.refused });
      case 'refuse': {
        const code = Object.hasOwn(ERRORS, frame.code) ? (frame.code as ErrorCode) : 'handshake_failed';
        refusedWith = { code, detail: frame.detail ?? ERRORS[code].title, spread: frame.spread_ms };
        transport.close(CLOSE.normal, 'refused');
        return finish(code, refusedWith.detail);
      }
      case 'challenge':
      case 'welcome':
        throw new FairleadError('protocol_unsupported', { detail: 'The handshake is over.' });
    }
  };

  transport.onEnd(({ reason }) => finish(undefined, reason));
  transport.receive((data, binary) => {
    try {
      dispatch(decodeFromRelay(data, binary));
    } catch (error) {
      violated(error);
    }
  });

  return {
    advertise: (instances) => transport.sendText(encodeFrame({ t: 'advertise', instances: [...instances] })),
    get pending() {
      return serving.size;
    },
    close(reason) {
      transport.close(CLOSE.normal, reason);
      finish(undefined, reason);
    },
  };
};

/** Lets go of a body that nobody will read, so that its connection to the daemon is freed. */
const stopReading = async ({ body }: WireAnswer): Promise<void> => {
  if (!Buffer.isBuffer(body)) await body[Symbol.asyncIterator]().return?.();
};
