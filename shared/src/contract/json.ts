import { FairleadError } from './errors.ts';
import { LIMITS } from './limits.ts';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const refuse = (rule: string): never => {
  throw new FairleadError('malformed_json', { rule, detail: `The JSON ${rule}.` });
};

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The index just after the string that starts at `at`, in text that `JSON.parse` has accepted. */
const endOfString = (text: string, at: number): number => {
  let end = text.indexOf('"', at + 1);
  for (;;) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return end + 1;
    end = text.indexOf('"', end + 1);
  }
};

/** The value of a string token; a lone surrogate can only come from an escape, so plain tokens are not decoded. */
const decode = (token: string): string => {
  if (!token.includes('\\')) return token.slice(1, -1);
  const value = JSON.parse(token) as string;
  if (!value.isWellFormed()) refuse('contains a lone surrogate');
  return value;
};

const checkNumber = (token: string): void => {
  const value = Number(token);
  if (!Number.isFinite(value)) refuse('contains a number that is out of range');
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) refuse('contains an integer beyond 2^53');
};

/** Walks text that is known to be JSON and refuses what `JSON.parse` lets through. One pass, linear in the text. */
const inspect = (text: string): void => {
  // A set of keys for each open object, undefined for each open array.
  const open: (Set<string> | undefined)[] = [];
  let expectsKey = false;
  for (let at = 0; at < text.length; ) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(text, at);
      const value = decode(text.slice(at, end));
      const keys = open.at(-1);
      if (expectsKey && keys) {
        if (value === '__proto__') refuse('has a member named __proto__');
        if (keys.has(value)) refuse(`has the member ${JSON.stringify(value)} twice`);
        keys.add(value);
        expectsKey = false;
      }
      at = end;
    } else if (code === 0x7b || code === 0x5b) {
      open.push(code === 0x7b ? new Set() : undefined);
      if (open.length > LIMITS.json_depth.value) refuse(`is nested deeper than ${LIMITS.json_depth.value} levels`);
      expectsKey = code === 0x7b;
      at++;
    } else if (code === 0x7d || code === 0x5d) {
      open.pop();
      expectsKey = false;
      at++;
    } else if (code === 0x2c) {
      expectsKey = open.at(-1) !== undefined;
      at++;
    } else if (code === 0x2d || (code >= 0x30 && code <= 0x39)) {
      let end = at + 1;
      while (end < text.length && '0123456789+-.eE'.includes(text[end]!)) end++;
      checkNumber(text.slice(at, end));
      at = end;
    } else at++;
  }
};

/**
 * The one JSON parser for anything that is asked or signed. Refuses duplicate members, `__proto__`, lone surrogates, integers
 * beyond 2^53 and nesting over 32, because two readers of such a document may see different things.
 * @throws FairleadError `malformed_json`
 */
export const parseStrictJson = (text: string): Json => {
  if (!text.isWellFormed()) refuse('contains a lone surrogate');
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (cause) {
    throw new FairleadError('malformed_json', { detail: (cause as Error).message, rule: 'must be one JSON document', cause });
  }
  inspect(text);
  return value;
};

/**
 * Canonical JSON (RFC 8785): members sorted by UTF-16 code units, no white space, numbers as ECMAScript prints them.
 * Used for digests of things that we made ourselves; what others signed is verified over the bytes received.
 */
export const canonicalJson = (value: unknown): string => {
  if (typeof value === 'string') {
    if (!value.isWellFormed()) refuse('contains a lone surrogate');
    return JSON.stringify(value);
  }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) refuse('contains a number that is out of range');
    return JSON.stringify(value);
  }
  if (value === null || typeof value === 'boolean') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object') {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    members.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([key, member]) => `${canonicalJson(key)}:${canonicalJson(member)}`).join(',')}}`;
  }
  throw new TypeError(`canonicalJson: ${typeof value} is not JSON`);
};
