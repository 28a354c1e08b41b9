import type { Conversation } from './dialect.ts';
import { amountOf, isObject, objectOf, textOf, type Message } from './untrusted.ts';

const LONGEST_MS = 7 * 24 * 3_600_000;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** Codex says when a limit is lifted to the minute, in the time zone of this machine, with the day where it is another one. */
const TRY_AGAIN = /try again at (?:(\w{3}) (\d{1,2})\w{2}, (\d{4}) )?(\d{1,2}):(\d{2}) (AM|PM)/;

const saidReset = (message: string, now: number): number | undefined => {
  const [found, month, day, year, hour, minute, half] = TRY_AGAIN.exec(message) ?? [];
  if (found === undefined) return undefined;
  const at = new Date(now);
  if (month !== undefined) at.setFullYear(Number(year), MONTHS.indexOf(month), Number(day));
  at.setHours((Number(hour) % 12) + (half === 'PM' ? 12 : 0), Number(minute) + 1, 0, 0);
  return at.getTime();
};

/** When the window that is used up begins anew, from a snapshot of an account's limits. In ms since the epoch. */
export const codexWindowReset = (limits: Message): number | undefined => {
  const ends = [limits['primary'], limits['secondary']]
    .filter(isObject)
    .filter((window) => (amountOf(window['usedPercent']) ?? 0) >= 100)
    .map((window) => amountOf(window['resetsAt']))
    .filter((at): at is number => at !== null);
  return ends.length === 0 ? undefined : Math.max(...ends) * 1000;
};

const QUOTA = new Set(['usageLimitExceeded', 'rateLimitExceeded']);
const REFUSED = new Set(['cyberPolicy', 'misalignmentPolicyViolation', 'inferenceHookDenied']);
const CODES: Readonly<Record<string, string>> = {
  unauthorized: 'agent_not_signed_in',
  contextWindowExceeded: 'context_full',
  tooManyDenials: 'agent_denied_too_often',
  other: 'model_error',
};

/** The word of an error, and the HTTP status that it carries. */
const errorInfo = (info: unknown): { readonly word: string; readonly status: number | null } => {
  if (!isObject(info)) return { word: textOf(info), status: null };
  const [[word, about] = ['', {}]] = Object.entries(info);
  return { word, status: amountOf(objectOf(about)['httpStatusCode']) };
};

const failed = (code: string, message: string): Conversation => ({ ended: 'failed', code, message });

/**
 * What the end of a turn says of the work. A turn that the model would not answer is completed too, and empty: codex does not tell it apart.
 * @param reset when a limit is lifted, as codex told before @param now both in ms since the epoch
 */
export const codexEnding = (turn: Message, reset: number | undefined, now: number): Conversation => {
  if (turn['status'] === 'completed') return { ended: 'success' };
  if (turn['status'] === 'interrupted') return { ended: 'interrupted' };
  const error = objectOf(turn['error']);
  const message = textOf(error['message']) || 'The turn failed';
  const { word, status } = errorInfo(error['codexErrorInfo']);
  if (QUOTA.has(word) || status === 429) {
    const at = reset ?? saidReset(message, now);
    const wait = at === undefined ? undefined : Math.min(LONGEST_MS, Math.max(1000, at - now));
    return { ended: 'quota', code: 'quota_reached', message, ...(wait !== undefined && { resets_in_ms: wait }) };
  }
  if (REFUSED.has(word)) return { ended: 'refused', message };
  if (status === 401 || status === 403) return failed('agent_not_signed_in', message);
  return failed(CODES[word] ?? 'model_error', message);
};
