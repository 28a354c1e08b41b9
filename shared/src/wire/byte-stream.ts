import { FairleadError } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';

/** Credit is given back once so many bytes were read, rather than for every chunk. */
const GIVE_BACK = LIMITS.wire_credit.value / 4;

/** The reading end of a stream of chunks: holds at most the credit that was given, however slowly it is read. */
export interface IncomingBytes extends AsyncIterable<Uint8Array> {
  /** @returns false when the peer sent more than it had credit for, or more than it had said */
  push(bytes: Buffer): boolean;
  /** @returns false when the peer ends it, without an error, before as much came as it had said */
  end(error?: Error): boolean;
}

/**
 * @param give allows the peer so many further bytes
 * @param dropped the reader has stopped before the end
 * @param length how long the peer said it is. Whoever passes that on as the length of a message must be able to rely on it: what is
 * beyond it would be read as the next message
 */
export const createIncomingBytes = (give: (bytes: number) => void, dropped: () => void, length?: number): IncomingBytes => {
  let chunks: Buffer[] = [];
  let came = 0;
  let held = 0;
  let read = 0;
  let ended = false;
  let failure: Error | undefined;
  let wake: (() => void) | undefined;
  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    while (chunks.length === 0) {
      if (failure) throw failure;
      if (ended) return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const value = chunks.shift()!;
    held -= value.length;
    read += value.length;
    if (read >= GIVE_BACK && !ended) {
      give(read);
      read = 0;
    }
    return { done: false, value };
  };
  return {
    push(bytes) {
      held += bytes.length;
      came += bytes.length;
      if (came > (length ?? Infinity)) return false;
      // What was read and not yet given back is still out of the peer's reach.
      if (held + read > LIMITS.wire_credit.value) return false;
      chunks.push(bytes);
      wake?.();
      return true;
    },
    end(error) {
      if (ended) return true;
      if (!error && came < (length ?? 0)) return false;
      ended = true;
      failure = error;
      // A stream that broke must not look whole because its first part was read slowly: the error goes before what is left.
      if (error) chunks = [];
      wake?.();
      return true;
    },
    [Symbol.asyncIterator]: () => ({
      next,
      async return() {
        if (!ended) dropped();
        ended = true;
        chunks = [];
        return { done: true, value: undefined };
      },
    }),
  };
};

/** The writing end's credit: how many bytes may still be sent, and a way to wait for more. */
export interface OutgoingCredit {
  /** Waits until at least one byte may be sent, then takes up to `wanted`. @throws FairleadError when the stream was stopped */
  take(wanted: number): Promise<number>;
  /** @returns false when the peer gave more than a window */
  give(bytes: number): boolean;
  stop(): void;
}

export const createOutgoingCredit = (): OutgoingCredit => {
  let left: number = LIMITS.wire_credit.value;
  let stopped = false;
  let wake: (() => void) | undefined;
  return {
    async take(wanted) {
      const spent = () => left === 0 && !stopped;
      while (spent()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (stopped) throw new FairleadError('deadline_exceeded', { detail: 'The stream was stopped by its reader.' });
      const taken = Math.min(left, wanted);
      left -= taken;
      return taken;
    },
    give(bytes) {
      left += bytes;
      wake?.();
      return left <= LIMITS.wire_credit.value;
    },
    stop() {
      stopped = true;
      wake?.();
    },
  };
};
