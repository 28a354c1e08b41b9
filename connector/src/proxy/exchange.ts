import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Ending } from '@fairlead/shared/wire/ending';

/** The daemon's answer, its bytes untouched. A body that is a stream must be read to its end or destroyed. */
export interface DaemonAnswer {
  readonly status: number;
  readonly mediaType: string;
  /** Bytes of the body, where the daemon said so. */
  readonly length: number | undefined;
  readonly body: Buffer | Readable;
}

/** A refusal is small; one that is larger than this, in bytes, is none. */
const REFUSAL_BYTES = 64 * 1024;

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Takes an answer from undici as it comes in: whole as long as it is small enough, and as a stream from there on. */
class Answer implements Dispatcher.DispatchHandler {
  #limit: number;
  readonly #settle: { readonly resolve: (answer: DaemonAnswer) => void; readonly reject: (error: Error) => void };
  #controller: Dispatcher.DispatchController | undefined;
  #head: Omit<DaemonAnswer, 'body'> | undefined;
  #chunks: Buffer[] = [];
  #size = 0;
  #stream: Readable | undefined;
  #over = false;
  #given: Error | undefined;

  constructor(limit: number, settle: { resolve: (answer: DaemonAnswer) => void; reject: (error: Error) => void }) {
    this.#limit = limit;
    this.#settle = settle;
  }

  /** Gives the exchange up; a request that still waits for a connection is never sent. */
  giveUp(why: Error): void {
    if (this.#over) return;
    this.#given = why;
    if (this.#controller) this.#controller.abort(why);
    else this.#settle.reject(why);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#given) controller.abort(this.#given);
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: Headers): void {
    // Told in between, not the answer.
    if (status < 200) return;
    const length = headers['content-length'];
    this.#head = {
      status,
      mediaType: String(headers['content-type'] ?? 'application/octet-stream'),
      length: length === undefined ? undefined : Number(length),
    };
    if (status >= 300) this.#limit = REFUSAL_BYTES;
    if (this.#limit === 0 || (this.#head.length ?? 0) > this.#limit) this.#begin();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#stream) {
      if (!this.#stream.push(chunk)) controller.pause();
      return;
    }
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size > this.#limit) this.#begin();
  }

  onResponseEnd(): void {
    this.#over = true;
    if (this.#stream) this.#stream.push(null);
    else this.#settle.resolve({ ...this.#head!, body: this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks) });
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#over = true;
    if (this.#stream) this.#stream.destroy(error);
    else this.#settle.reject(error);
  }

  /** Answers with a stream that holds what has come already. */
  #begin(): void {
    const stream = (this.#stream = new Readable({
      read: () => this.#controller?.resume(),
      destroy: (error, done) => {
        if (!this.#over) this.#controller?.abort(error ?? new Error('nobody reads on'));
        done(error);
      },
    }));
    // Whoever has the stream hears of its error by reading; one that is let go of before has nobody to tell.
    stream.on('error', () => {});
    for (const chunk of this.#chunks) stream.push(chunk);
    this.#chunks = [];
    this.#settle.resolve({ ...this.#head!, body: stream });
  }
}

/**
 * One HTTP exchange, at the level of undici's dispatcher: its `request` makes a stream and an abort signal's listeners for every answer, which
 * is more than all the rest of a small one costs.
 * @param limit up to how many bytes the body of an answer is handed over whole; refusals are, if they are any
 * @throws the system's or undici's error, or why it ended
 */
export const exchange = (
  dispatcher: Dispatcher,
  options: Dispatcher.DispatchOptions,
  { limit, until }: { readonly limit: number; readonly until: Ending },
): Promise<DaemonAnswer> =>
  new Promise((resolve, reject) => {
    if (until.why) return reject(until.why);
    const answer = new Answer(limit, { resolve, reject });
    dispatcher.dispatch(options, answer);
    until.onEnd((why) => answer.giveUp(why));
  });
