import { ERRORS, type ErrorCode } from '../contract/error-table.ts';
import { FairleadError } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';
import type { Clock } from '../kit/clock.ts';
import { createIncomingBytes, type IncomingBytes } from './byte-stream.ts';
import { decodeFromConnector, encodeFrame, type Chunk, type Decoded } from './codec.ts';
import type { RequestingChannel, RequestingChannelOptions, RequestOptions, WireAnswer, WireRequest } from './exchange.ts';
import { createFairWriter } from './fair-writer.ts';
import type { ConnectorFrame, Response } from './frames.ts';
import { CLOSE, type Transport } from './transport.ts';

const JSON_TYPE = 'application/json';

interface Pending {
  readonly instance: string;
  readonly options: RequestOptions;
  readonly settle: { readonly resolve: (answer: WireAnswer) => void; readonly reject: (error: unknown) => void };
  sent: boolean;
  stream: IncomingBytes | undefined;
  release: () => void;
}

/** What an asker is told when the line ends or the time is over: the truth about a write is that nobody knows. */
const lost = ({ sent, options, stream }: Pending, otherwise: ErrorCode): FairleadError =>
  new FairleadError(sent && options.effect !== 'read' && !stream ? 'outcome_unknown' : otherwise);

/**
 * The relay's side of a session, over a transport whose handshake is done. Requests are multiplexed and bounded per instance; every one
 * has a deadline, and all fail at once when the line ends.
 */
export const createRequestingChannel = (
  transport: Transport,
  clock: Clock,
  { onAdvertise, onEnd }: RequestingChannelOptions,
): RequestingChannel => {
  const pending = new Map<number, Pending>();
  const perInstance = new Map<string, number>();
  const writer = createFairWriter(transport);
  let lastId = 0;
  let ended = false;

  const finish = (code: ErrorCode | undefined, detail: string) => {
    if (ended) return;
    ended = true;
    transport.receive(() => {});
    for (const id of pending.keys()) fail(id, (entry) => lost(entry, 'connector_offline'));
    writer.flush();
    onEnd({ code, detail });
  };

  const violated = (error: unknown) => {
    const known = error instanceof FairleadError ? error : new FairleadError('internal', { cause: error });
    transport.close(CLOSE.violation, known.code);
    finish(known.code, known.message);
  };

  /** Takes a request out of the table; whatever still comes for it is ignored. */
  const take = (id: number): Pending | undefined => {
    const entry = pending.get(id);
    if (!entry) return undefined;
    pending.delete(id);
    const left = perInstance.get(entry.instance)! - 1;
    if (left === 0) perInstance.delete(entry.instance);
    else perInstance.set(entry.instance, left);
    entry.release();
    return entry;
  };

  const fail = (id: number, errorOf: (entry: Pending) => unknown) => {
    const entry = take(id);
    if (!entry) return;
    const error = errorOf(entry);
    if (entry.stream) entry.stream.end(error as Error);
    else entry.settle.reject(error);
  };

  /** A read that nobody waits for any more is stopped over there; a write goes on, because it may have happened already. */
  const abandon = (id: number, errorOf: (entry: Pending) => unknown) => {
    const entry = pending.get(id);
    if (entry?.sent && (entry.options.effect === 'read' || entry.stream)) transport.sendText(encodeFrame({ t: 'cancel', id }));
    fail(id, errorOf);
  };

  const respond = ({ id, status, type = JSON_TYPE, stream, length }: Response, body: Buffer | undefined) => {
    if (!stream) {
      take(id)?.settle.resolve({ status, type, body: body ?? Buffer.alloc(0) });
      return;
    }
    const entry = pending.get(id);
    if (!entry || entry.stream) return;
    entry.stream = createIncomingBytes(
      (bytes) => transport.sendText(encodeFrame({ t: 'credit', id, bytes })),
      () => abandon(id, () => new FairleadError('deadline_exceeded')),
      length,
    );
    entry.settle.resolve({ status, type, body: entry.stream, ...(length !== undefined && { length }) });
  };

  const dispatch = ({ frame, body }: Decoded<ConnectorFrame | Chunk>) => {
    if ('id' in frame && frame.id > lastId)
      throw new FairleadError('protocol_unsupported', { detail: 'The connector answered what was never asked.' });
    switch (frame.t) {
      case 'response':
        return respond(frame, body);
      case 'error':
        return fail(frame.id, () => FairleadError.fromProblem(frame.problem));
      case 'chunk': {
        const stream = pending.get(frame.id)?.stream;
        if (stream && !stream.push(frame.bytes))
          throw new FairleadError('protocol_unsupported', { detail: 'The connector sent more than its credit, or more than it said.' });
        return;
      }
      case 'end': {
        const { problem } = frame;
        if (pending.has(frame.id) && !pending.get(frame.id)?.stream)
          throw new FairleadError('protocol_unsupported', { detail: 'The connector ended a stream that never began.' });
        if (problem) return fail(frame.id, () => FairleadError.fromProblem(problem));
        if (pending.get(frame.id)?.stream?.end() === false)
          throw new FairleadError('protocol_unsupported', { detail: 'The connector ended a stream before its length.' });
        take(frame.id);
        return;
      }
      case 'event':
        return pending.get(frame.id)?.options.onEvent?.(frame.data);
      case 'advertise':
        return onAdvertise(frame.instances);
      case 'prove':
        throw new FairleadError('protocol_unsupported', { detail: 'The handshake is over.' });
    }
  };

  transport.onEnd(({ reason }) => finish(undefined, reason));
  transport.receive((data, binary) => {
    try {
      dispatch(decodeFromConnector(data, binary));
    } catch (error) {
      violated(error);
    }
  });

  /** Why a request cannot even be sent. */
  const refusal = (instance: string, signal: AbortSignal | undefined): unknown => {
    if (ended) return new FairleadError('connector_offline');
    if (signal?.aborted) return signal.reason;
    if (pending.size >= LIMITS.wire_pending.value || (perInstance.get(instance) ?? 0) >= LIMITS.wire_pending_per_instance.value) {
      return new FairleadError('rate_limited', { detail: 'Too many requests for this machine are under way.' });
    }
    return undefined;
  };

  const request = (asked: WireRequest, options: RequestOptions): Promise<WireAnswer> =>
    new Promise((resolve, reject) => {
      const instance = asked.instance_id;
      const refused = refusal(instance, options.signal);
      if (refused !== undefined) return reject(refused);
      const id = ++lastId;
      const aborted = () => abandon(id, () => options.signal!.reason);
      const cancelTimer = clock.after(asked.time_left_ms, () => abandon(id, (entry) => lost(entry, 'deadline_exceeded')));
      const release = () => {
        cancelTimer();
        options.signal?.removeEventListener('abort', aborted);
      };
      const entry: Pending = { instance, options, settle: { resolve, reject }, sent: false, stream: undefined, release };
      options.signal?.addEventListener('abort', aborted);
      pending.set(id, entry);
      perInstance.set(instance, (perInstance.get(instance) ?? 0) + 1);
      const text = encodeFrame({ t: 'request', id, ...asked });
      writer.write(instance, () => {
        // It may have been given up while it waited for its turn.
        if (!pending.has(id)) return;
        entry.sent = true;
        transport.sendText(text);
      });
    });

  return {
    request,
    advertised: (result) => transport.sendText(encodeFrame({ t: 'advertised', ...result })),
    get pending() {
      return pending.size;
    },
    refuse(code, detail = ERRORS[code].title) {
      transport.sendText(encodeFrame({ t: 'refuse', code, detail }));
      transport.close(CLOSE.refused, code);
      finish(code, detail);
    },
  };
};
