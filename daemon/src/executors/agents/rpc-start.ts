import { LIMITS } from '@fairlead/shared/contract/limits';
import { systemClock } from '@fairlead/shared/kit/clock';
import type { Conversation } from './dialect.ts';
import { RpcEnded, RpcError } from './jsonrpc.ts';

/** An agent that did not come to the point at which it could be given work. */
export class NotStarted extends Error {
  override readonly name = 'NotStarted';
}

/**
 * Waits for one of the answers with which an agent starts, for `LIMITS.agent_start` at most.
 * @throws NotStarted when none comes in time @throws RpcError when the agent says no or ends
 */
export const startAnswer = async <T>(answer: Promise<T>, what: string, signal: AbortSignal): Promise<T> => {
  const waiting = new AbortController();
  const { value: ms } = LIMITS.agent_start;
  const late = systemClock.sleep(ms, AbortSignal.any([signal, waiting.signal])).then(() => {
    throw new NotStarted(`It did not answer ${what} within ${ms / 1000} s`);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    waiting.abort();
    // Whichever lost is of no interest any more.
    answer.catch(() => undefined);
    late.catch(() => undefined);
  }
};

/** What becomes of a conversation that failed before there was work. @throws what is no failure of the agent */
export const startFailure = (error: unknown, signal: AbortSignal): Conversation => {
  if (signal.aborted) return { ended: 'interrupted' };
  if (error instanceof RpcEnded) return { ended: 'cut' };
  if (error instanceof RpcError || error instanceof NotStarted)
    return { ended: 'failed', code: 'agent_did_not_start', message: error.message };
  throw error;
};
