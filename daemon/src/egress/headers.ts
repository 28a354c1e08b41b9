import type { IncomingMessage } from 'node:http';

/** What is meant for the next hop only, by RFC 9110 7.6.1 and custom. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'http2-settings',
]);

export type Headers = Record<string, string | string[]>;

/** The headers of a message that are passed on: all but those of this hop, those that `Connection` names, and those in `without`. */
export const passedHeaders = (message: IncomingMessage, without: (name: string, values: readonly string[]) => boolean): Headers => {
  const named = new Set((message.headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()));
  const kept: Headers = {};
  for (const [name, values = []] of Object.entries(message.headersDistinct)) {
    if (HOP_BY_HOP.has(name) || named.has(name) || without(name, values)) continue;
    kept[name] = values.length === 1 ? values[0]! : values;
  }
  return kept;
};
