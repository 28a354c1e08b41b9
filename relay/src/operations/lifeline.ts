import type { FairleadError } from '@fairlead/shared/contract/errors';
import type { LiveToken } from '../auth/planner-tokens.ts';

/** What ends a call from outside: the caller hangs up, the token ends, the relay drains. */
export interface Lifeline {
  readonly signal: AbortSignal;
  /** Must be called when the call is over. */
  release(): void;
}

/** Calls `fn` once when the relay begins to drain; the answer stops that. */
export type OnDrain = (fn: (why: FairleadError) => void) => () => void;

/** Ties a call to its token, its caller and the relay's own end. Only calls that can last are worth it. */
export const tie = (token: LiveToken, caller: AbortSignal | undefined, onDrain: OnDrain): Lifeline => {
  const controller = new AbortController();
  const end = (why: unknown) => controller.abort(why);
  const hungUp = () => end(caller!.reason);
  const releases = [token.onEnd(end), onDrain(end)];
  if (caller?.aborted) hungUp();
  else caller?.addEventListener('abort', hungUp, { once: true });
  return {
    signal: controller.signal,
    release() {
      for (const release of releases) release();
      caller?.removeEventListener('abort', hungUp);
    },
  };
};

/** A stream that breaks off as soon as its lifeline is cut, even while nothing flows. */
export const tied = async function* (body: AsyncIterable<Uint8Array>, lifeline: Lifeline): AsyncGenerator<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]();
  const { signal } = lifeline;
  let fail: ((why: Error) => void) | undefined;
  const cut = () => fail?.(signal.reason as Error);
  signal.addEventListener('abort', cut);
  try {
    for (;;) {
      const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        fail = reject;
        if (signal.aborted) cut();
        else iterator.next().then(resolve, reject);
      });
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', cut);
    lifeline.release();
    // A stream that still waits for bytes ends by the same signal; nobody waits for that here.
    iterator.return?.().catch(() => {});
  }
};
