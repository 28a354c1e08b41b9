import type { IncomingHttpHeaders } from 'node:http';
import type { Conversation, Json } from './conversation.ts';
import type { Wire } from './wire/wire.ts';

/** How a client has shown who it is. */
export interface Credential {
  readonly scheme: 'bearer' | 'x-api-key' | 'x-goog-api-key' | 'query';
  readonly value: string;
}

/** One request for a turn of the model, as it was received and answered. */
export interface ModelRequest extends Conversation {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The script that was played, or `undefined` where none fits. */
  readonly script: string | undefined;
  /** Which turn of the script, from 0, faults counted `times` times; absent for what is no turn and beyond the end. */
  readonly turn?: number;
  /**
   * `turn` plays the script; `side` is a question that the client asks for itself (a title, a check) and takes no turn;
   * `beyond` came after the script had ended.
   */
  readonly kind: 'turn' | 'side' | 'beyond';
  readonly wire: Wire['name'];
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly credential?: Credential;
  readonly body: Json;
  /** Whether the client hung up before the answer was whole. */
  readonly hungUp: () => boolean;
}

const BEARER = /^bearer\s+(.+)$/i;

/** The credential of a request, wherever the client has put it. */
export const credentialOf = (headers: IncomingHttpHeaders, query: URLSearchParams): Credential | undefined => {
  const bearer = BEARER.exec(headers.authorization ?? '')?.[1];
  if (bearer !== undefined) return { scheme: 'bearer', value: bearer };
  for (const scheme of ['x-api-key', 'x-goog-api-key'] as const) {
    const value = headers[scheme];
    if (typeof value === 'string') return { scheme, value };
  }
  const key = query.get('key');
  return key === null ? undefined : { scheme: 'query', value: key };
};

/** Names a script inside a prompt. */
const MARKER = /\bSCRIPT:([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)/g;

/** The header that names a script, for callers that can set one. */
export const SCRIPT_HEADER = 'x-script';
/** The script that is played where a request names none. */
export const DEFAULT_SCRIPT = 'default';

/**
 * Which script a request is for: named by the `x-script` header, else by the last `SCRIPT:<id>` in what the user said, else by an API key or
 * a model with the name of a script, else the one called `default`.
 */
export const scriptFor = (
  known: ReadonlySet<string>,
  { prompts, model }: Conversation,
  headers: IncomingHttpHeaders,
  credential: Credential | undefined,
): string | undefined => {
  const marked = [...prompts.join('\n').matchAll(MARKER)].map(([, id]) => id).reverse();
  const header = headers[SCRIPT_HEADER];
  const candidates = [typeof header === 'string' ? header : undefined, ...marked, credential?.value, model, DEFAULT_SCRIPT];
  return candidates.find((id) => id !== undefined && known.has(id));
};
