import { ERRORS, type ErrorCode } from '../contract/error-table.ts';
import { FairleadError } from '../contract/errors.ts';
import type { Clock } from '../kit/clock.ts';
import { createIncomingBytes, type IncomingBytes } from './byte-stream.ts';
import { decodeFromConnector, encodeFrame, type Chunk, type Decoded } from './codec.ts';
import type { RequestingChannel, RequestingChannelOptions, RequestOptions, WireAnswer, WireRequest } from './exchange.ts';
import { createFairWriter, type FairWriter } from './fair-writer.ts';
import type { ConnectorFrame, Response } from './frames.ts';
import { InFlight, whoAsks, type Who } from './in-flight.ts';
import { CLOSE, type Transport } from './transport.ts';

const JSON_TYPE = 'application/json';

interface Pending {
  readonly who: Who;
  readonly options: RequestOptions;
  readonly settle: { readonly resolve: (answer: WireAnswer) => void; readonly reject: (error: unknown) => void };
  sent: boolean;
  stream: IncomingBytes | undefined;
  release: () => void;
}

/** What an asker is told when the line ends or the time is over: the truth about a write is that nobody knows. */
const lost = ({ sent, options, stream }: Pending, otherwise: ErrorCode): FairleadError =>
  new FairleadError(sent && options.effect !== 'read' && !stream ? 'outcome_unknown' : otherwise);

const NONE: ReadonlyMap<number, Pending> = new Map();

/**
 * A class, and nothing in it is made before the first request: a relay holds thousands of these, and most are idle. As a closure over the same
 * things each took two kilobytes more.
 */
class Requesting implements RequestingChannel {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #options: RequestingChannelOptions;
  #pending: Map<number, Pending> | undefined;
  #inFlight: InFlight | undefined;
  #writer: FairWriter | undefined;
  #lastId = 0;
  #ended = false;

  constructor(transport: Transport, clock: Clock, options: RequestingChannelOptions) {
    this.#transport = transport;
    this.#clock = clock;
    this.#options = options;
    transport.onEnd(({ reason }) => this.#finish(undefined, reason));
    transport.receive((data, binary) => this.#read(data, binary));
  }

  get #open(): ReadonlyMap<number, Pending> {
    return this.#pending ?? NONE;
  }

  get pending(): number {
    return this.#open.size;
  }

  #read(data: Buffer, binary: boolean): void {
    try {
      this.#dispatch(decodeFromConnector(data, binary));
    } catch (error) {
      const known = error instanceof FairleadError ? error : new FairleadError('internal', { cause: error });
      this.#transport.close(CLOSE.violation, known.code);
      this.#finish(known.code, known.message);
    }
  }

  #finish(code: ErrorCode | undefined, detail: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#transport.receive(() => {});
    for (const id of this.#open.keys()) this.#fail(id, (entry) => lost(entry, 'connector_offline'));
    this.#writer?.flush();
    this.#options.onEnd({ code, detail });
  }

  #enter(id: number, entry: Pending): void {
    (this.#pending ??= new Map()).set(id, entry);
    (this.#inFlight ??= new InFlight()).enter(entry.who);
  }

  /** Takes a request out of the table; whatever still comes for it is ignored. */
  #take(id: number): Pending | undefined {
    const entry = this.#open.get(id);
    if (!entry) return undefined;
    this.#pending!.delete(id);
    this.#inFlight!.leave(entry.who);
    entry.release();
    return entry;
  }

  #fail(id: number, errorOf: (entry: Pending) => unknown): void {
    const entry = this.#take(id);
    if (!entry) return;
    const error = errorOf(entry);
    if (entry.stream) entry.stream.end(error as Error);
    else entry.settle.reject(error);
  }

  /** A read that nobody waits for any more is stopped over there; a write goes on, because it may have happened already. */
  #abandon(id: number, errorOf: (entry: Pending) => unknown): void {
    const entry = this.#open.get(id);
    if (entry?.sent && (entry.options.effect === 'read' || entry.stream)) this.#transport.sendText(encodeFrame({ t: 'cancel', id }));
    this.#fail(id, errorOf);
  }

  #respond({ id, status, type = JSON_TYPE, stream, length }: Response, body: Buffer | undefined): void {
    if (!stream) {
      this.#take(id)?.settle.resolve({ status, type, body: body ?? Buffer.alloc(0) });
      return;
    }
    const entry = this.#open.get(id);
    if (!entry || entry.stream) return;
    entry.stream = createIncomingBytes(
      (bytes) => this.#transport.sendText(encodeFrame({ t: 'credit', id, bytes })),
      () => this.#abandon(id, () => new FairleadError('deadline_exceeded')),
      length,
    );
    entry.settle.resolve({ status, type, body: entry.stream, ...(length !== undefined && { length }) });
  }

  #dispatch({ frame, body }: Decoded<ConnectorFrame | Chunk>): void {
    if ('id' in frame && frame.id > this.#lastId)
      throw new FairleadError('protocol_unsupported', { detail: 'The connector answered what was never asked.' });
    switch (frame.t) {
      case 'response':
        return this.#respond(frame, body);
      case 'error':
        return this.#fail(frame.id, () => FairleadError.fromProblem(frame.problem));
      case 'chunk': {
        const stream = this.#open.get(frame.id)?.stream;
        if (stream && !stream.push(frame.bytes))
          throw new FairleadError('protocol_unsupported', { detail: 'The connector sent more than its credit, or more than it said.' });
        return;
      }
      case 'end': {
        const { problem } = frame;
        const entry = this.#open.get(frame.id);
        if (entry && !entry.stream)
          throw new FairleadError('protocol_unsupported', { detail: 'The connector ended a stream that never began.' });
        if (problem) return this.#fail(frame.id, () => FairleadError.fromProblem(problem));
        if (entry?.stream?.end() === false)
          throw new FairleadError('protocol_unsupported', { detail: 'The connector ended a stream before its length.' });
        this.#take(frame.id);
        return;
      }
      case 'event':
        return this.#open.get(frame.id)?.options.onEvent?.(frame.data);
      case 'advertise':
        return this.#options.onAdvertise(frame.instances);
      case 'prove':
        throw new FairleadError('protocol_unsupported', { detail: 'The handshake is over.' });
    }
  }

  /** Why a request cannot even be sent. */
  #refusal(asked: WireRequest, signal: AbortSignal | undefined): unknown {
    if (this.#ended) return new FairleadError('connector_offline');
    if (signal?.aborted) return signal.reason;
    if (this.#inFlight?.refuses(asked))
      return new FairleadError('rate_limited', { detail: 'Too many requests for this machine are under way.' });
    return undefined;
  }

  request(asked: WireRequest, options: RequestOptions): Promise<WireAnswer> {
    return new Promise((resolve, reject) => {
      const refused = this.#refusal(asked, options.signal);
      if (refused !== undefined) return reject(refused);
      const id = ++this.#lastId;
      const aborted = () => this.#abandon(id, () => options.signal!.reason);
      const cancelTimer = this.#clock.after(asked.time_left_ms, () => this.#abandon(id, (entry) => lost(entry, 'deadline_exceeded')));
      const release = () => {
        cancelTimer();
        options.signal?.removeEventListener('abort', aborted);
      };
      const entry: Pending = { who: whoAsks(asked), options, settle: { resolve, reject }, sent: false, stream: undefined, release };
      options.signal?.addEventListener('abort', aborted);
      this.#enter(id, entry);
      const text = encodeFrame({ t: 'request', id, ...asked });
      (this.#writer ??= createFairWriter(this.#transport)).write(asked.instance_id, () => {
        // It may have been given up while it waited for its turn.
        if (!this.#open.has(id)) return;
        entry.sent = true;
        this.#transport.sendText(text);
      });
    });
  }

  advertised(result: Parameters<RequestingChannel['advertised']>[0]): void {
    this.#transport.sendText(encodeFrame({ t: 'advertised', ...result }));
  }

  refuse(code: ErrorCode, spread?: number): void {
    const detail = ERRORS[code].title;
    this.#transport.sendText(encodeFrame({ t: 'refuse', code, detail, ...(spread !== undefined && { spread_ms: spread }) }));
    this.#transport.close(CLOSE.refused, code);
    this.#finish(code, detail);
  }
}

/**
 * The relay's side of a session, over a transport whose handshake is done. Requests are multiplexed and bounded per instance; every one
 * has a deadline, and all fail at once when the line ends.
 */
export const createRequestingChannel = (transport: Transport, clock: Clock, options: RequestingChannelOptions): RequestingChannel =>
  new Requesting(transport, clock, options);
