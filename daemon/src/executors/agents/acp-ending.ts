import type { Conversation } from './dialect.ts';
import { RpcEnded, type RpcError } from './jsonrpc.ts';
import { amountOf, objectOf, textOf, type Message } from './untrusted.ts';

const failed = (code: string, message: string): Conversation => ({ ended: 'failed', code, message });

/** What the reason says for which an agent stopped. */
export const acpStop = (result: Message): Conversation => {
  switch (result['stopReason']) {
    case 'end_turn':
      return { ended: 'success' };
    case 'refusal':
      return { ended: 'refused' };
    case 'cancelled':
      return { ended: 'interrupted' };
    case 'max_tokens':
      return failed('max_tokens', 'The answer of the model was cut at its limit of tokens');
    case 'max_turn_requests':
      return failed('budget_turns', 'The limit of turns was reached');
    default:
      return failed('agent_failed', `The agent stopped for ${textOf(result['stopReason']) || 'a reason that it does not tell'}`);
  }
};

const NOT_SIGNED_IN =
  /\b40[13]\b|unauthori[sz]ed|unauthenticated|authentication|not (?:logged|signed) in|(?:invalid|incorrect|missing)[^.]{0,20} api.?key/i;
const LIMITED = /\b429\b|rate.?limit|too many requests|(?:usage|quota|token) limit|limit reached|quota|resource.?exhausted/i;
const AUTH_REQUIRED = -32_000;
const LONGEST_MS = 7 * 24 * 3_600_000;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `retry after 3600s`, `try again in 2 minutes`: agents give no more than words. */
const RETRY = /(?:retry|try again)(?: after| in)?[: ]+(\d+(?:\.\d+)?) ?(ms|s|m|h|d)?/i;

const waitOf = (said: string, data: Message): number | undefined => {
  const seconds = amountOf(data['resets_in_seconds']) ?? amountOf(data['retryAfter']) ?? amountOf(data['retry_after']);
  if (seconds !== null) return seconds * 1000;
  const [found, amount, unit = 's'] = RETRY.exec(said) ?? [];
  return found === undefined ? undefined : Number(amount) * UNITS[unit.toLowerCase()]!;
};

/**
 * What an error says with which an agent answers a prompt. The protocol knows no kinds of them: some agents give the HTTP status as the code,
 * others put it into words, so this reads both.
 */
export const acpFailure = (error: RpcError): Conversation => {
  if (error instanceof RpcEnded) return { ended: 'cut' };
  const data = objectOf(error.data);
  const details = textOf(data['details']) || textOf(data['message']);
  const message = [error.message, details].filter(Boolean).join(': ');
  const status = amountOf(data['statusCode']) ?? amountOf(data['status']) ?? error.code;
  if (status === 429 || LIMITED.test(message)) {
    const wait = waitOf(message, data);
    const resets = wait === undefined ? {} : { resets_in_ms: Math.round(Math.min(LONGEST_MS, Math.max(1000, wait))) };
    return { ended: 'quota', code: 'quota_reached', message, ...resets };
  }
  if (status === 401 || status === 403 || error.code === AUTH_REQUIRED || NOT_SIGNED_IN.test(message))
    return failed('agent_not_signed_in', message);
  return failed('model_error', message);
};
