import type { ErrorCode } from '../contract/error-table.ts';
import type { Ending } from './ending.ts';
import type { Advertised, Descriptor, Request } from './frames.ts';

/** One request as it crosses the wire, without the number that the channel gives it. */
export type WireRequest = Omit<Request, 't' | 'id'>;

/**
 * An answer. A body that is whole is handed on as the bytes that the daemon wrote; nobody between daemon and planner parses it.
 * A stream of any length passes in bounded memory: reading it is what allows the other side to send on.
 */
export interface WireAnswer {
  readonly status: number;
  /** Media type, such as `application/json`. */
  readonly type: string;
  readonly body: Buffer | AsyncIterable<Uint8Array>;
  /** Length of a streamed body in bytes, where it is known. */
  readonly length?: number;
}

export interface RequestOptions {
  /** What a broken line means: a read may simply be asked again, a write may have happened. */
  readonly effect: 'read' | 'write' | 'decide';
  /** Stops waiting. A read is cancelled on the other side too; a write goes on there. */
  readonly signal?: AbortSignal;
  /** Hears what the connector tells before it answers. */
  readonly onEvent?: (data: Readonly<Record<string, unknown>>) => void;
}

/** The relay's side of a session. */
export interface RequestingChannel {
  /**
   * Asks, and waits at most `time_left_ms`.
   * @throws FairleadError what the connector or daemon answered; `connector_offline` when nothing can have happened because of the end of
   *   the line, `outcome_unknown` when a write was sent and its answer is lost, `deadline_exceeded`, `rate_limited`
   */
  request(request: WireRequest, options: RequestOptions): Promise<WireAnswer>;
  /** Answers the last advertise, or tells later that an instance was lost. */
  advertised(result: Omit<Advertised, 't'>): void;
  /** How many requests wait for an answer. */
  readonly pending: number;
  /**
   * Tells the connector why, and ends the session. Everything that waits fails at once.
   * @param spread of a relay that drains: the milliseconds over which its connectors are to come back
   */
  refuse(code: ErrorCode, spread?: number): void;
}

export interface RequestingChannelOptions {
  /** A connector's authoritative full set. Throwing ends the session. */
  readonly onAdvertise: (instances: readonly Descriptor[]) => void;
  /** The session has ended; everything pending has failed already. */
  readonly onEnd: (why: ChannelEnd) => void;
}

/** How a session ended. */
export interface ChannelEnd {
  /** The code that the relay gave with `refuse`, or the protocol error that was found; undefined when the line simply broke. */
  readonly code: ErrorCode | undefined;
  readonly detail: string;
  /** The milliseconds over which a relay that drains wants its connectors back. */
  readonly spread?: number | undefined;
}

export interface AnsweringContext {
  /** Ends when the asker has gone, the time is over or the line has broken. A write that has begun does not look at it. */
  readonly until: Ending;
  /** Tells the asker something before the answer. */
  event(data: Readonly<Record<string, unknown>>): void;
}

/** Serves one request. A FairleadError that it throws travels as its problem document; anything else becomes `internal`. */
export type AnswerHandler = (request: WireRequest, context: AnsweringContext) => Promise<WireAnswer>;

/** The connector's side of a session. */
export interface AnsweringChannel {
  /** Says what is shared from now on: the authoritative full set. */
  advertise(instances: readonly Descriptor[]): void;
  /** How many requests are being served. */
  readonly pending: number;
  /** Ends the session in good order. */
  close(reason: string): void;
}

export interface AnsweringChannelOptions {
  readonly handle: AnswerHandler;
  readonly onAdvertised: (result: Omit<Advertised, 't'>) => void;
  readonly onEnd: (why: ChannelEnd) => void;
}
