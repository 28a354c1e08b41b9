import { randomUUID } from 'node:crypto';
import type { Conversation, Json } from '../conversation.ts';
import type { Failure, FullAnswer } from '../script.ts';
import type { ChosenCall } from '../tool-choice.ts';

/** An answer with its tool calls fitted to the client. */
export interface FittedAnswer extends Omit<FullAnswer, 'calls'> {
  readonly calls: readonly ChosenCall[];
}

/** One server-sent event: its name, where the format has names, and its data. */
export interface WireEvent {
  readonly name?: string;
  /** An object is written as JSON, text as it is. */
  readonly data: Json | string;
}

export interface Refusal {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Json;
}

/** One model API, as far as agents use it. */
export interface Wire {
  readonly name: 'anthropic-messages' | 'openai-responses' | 'openai-chat' | 'gemini';
  /** Whether a POST to this path asks for a turn of the model. */
  readonly matches: (path: string) => boolean;
  readonly read: (body: Json, path: string) => Conversation;
  /** The answer as events, in order. The last but the very last of them may be left out to break a stream. */
  readonly events: (answer: FittedAnswer, conversation: Conversation) => Iterable<WireEvent>;
  /** The answer as one document, for clients that do not stream. */
  readonly whole: (answer: FittedAnswer, conversation: Conversation) => Json;
  /** How this provider words a refusal. */
  readonly refusal: (failure: Failure, nowSeconds: number) => Refusal;
}

/** An identifier with the provider's prefix. */
export const freshId = (prefix: string): string => prefix + randomUUID().replaceAll('-', '').slice(0, 24);

const LEAST_PIECES = 4;
const MOST_PER_PIECE = 64 * 1024;

/** Cuts text into the pieces of a stream, never inside a character. Empty text has no piece. */
export const pieces = (text: string): string[] => {
  const size = Math.min(MOST_PER_PIECE, Math.max(1, Math.ceil(text.length / LEAST_PIECES)));
  const found: string[] = [];
  for (let at = 0; at < text.length;) {
    let end = Math.min(text.length, at + size);
    // A high surrogate stays with its low one.
    if (end < text.length && /[\uD800-\uDBFF]/.test(text[end - 1]!)) end += 1;
    found.push(text.slice(at, end));
    at = end;
  }
  return found;
};

/** The input of a call as JSON text; a freeform tool's is its text. */
export const inputText = ({ input }: ChosenCall): string => (typeof input === 'string' ? input : JSON.stringify(input));
