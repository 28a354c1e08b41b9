import { FairleadError } from './errors.ts';
import { LIMITS } from './limits.ts';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const refuse = (rule: string): never => {
  throw new FairleadError('malformed_json', { rule, detail: `The JSON ${rule}.` });
};

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BRACE = 0x7b;
const BRACKET = 0x5b;
const COMMA = 0x2c;
const COLON = 0x3a;

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

/** The first member that comes twice in its object, in text that is known to be JSON and to have one. */
const repeatedMember = (text: string): string => {
  // A set of keys for each open object, undefined for each open array.
  const open: (Set<string> | undefined)[] = [];
  let expectsKey = false;
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(text, at);
      const keys = open.at(-1);
      if (expectsKey && keys) {
        const key = JSON.parse(text.slice(at, end)) as string;
        if (keys.has(key)) return key;
        keys.add(key);
        expectsKey = false;
      }
      at = end;
      continue;
    }
    if (code === BRACE || code === BRACKET) open.push(code === BRACE ? new Set() : undefined);
    else if (code === BRACE + 2 || code === BRACKET + 2) open.pop();
    // Braces and brackets close two code points after they open.
    if (code === BRACE || code === COMMA) expectsKey = open.at(-1) !== undefined;
    at++;
  }
  return '';
};

/** How many members all objects of a text have, in text that `JSON.parse` has accepted: a string before a colon is one. */
const countMembers = (text: string): number => {
  let count = 0;
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at)) {
    at = endOfString(text, at);
    let next = text.charCodeAt(at);
    while (next === 0x20 || (next >= 0x09 && next <= 0x0d)) next = text.charCodeAt(++at);
    if (next === COLON) count++;
  }
  return count;
};

/**
 * Refuses what a value must not hold, and counts its members.
 * @param escaped whether a lone surrogate may have come in by an escape
 */
const checkValue = (value: Json, depth: number, escaped: boolean): number => {
  if (typeof value === 'string') {
    if (escaped && !value.isWellFormed()) refuse('contains a lone surrogate');
    return 0;
  }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) refuse('contains a number that is out of range');
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) refuse('contains an integer beyond 2^53');
    return 0;
  }
  if (typeof value !== 'object' || value === null) return 0;
  if (depth === LIMITS.json_depth.value) refuse(`is nested deeper than ${LIMITS.json_depth.value} levels`);
  let count = 0;
  if (Array.isArray(value)) {
    for (const member of value) count += checkValue(member, depth + 1, escaped);
    return count;
  }
  // JSON.parse makes plain objects, so that for-in sees exactly the members.
  for (const key in value) {
    if (key === '__proto__') refuse('has a member named __proto__');
    if (escaped && !key.isWellFormed()) refuse('contains a lone surrogate');
    count += 1 + checkValue(value[key]!, depth + 1, escaped);
  }
  return count;
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
  // JSON.parse keeps the last of two members of one name, so a repeated one shows as a member that is missing from the value.
  if (checkValue(value, 0, text.includes('\\u')) !== countMembers(text))
    refuse(`has the member ${JSON.stringify(repeatedMember(text))} twice`);
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
    const members = value as Readonly<Record<string, unknown>>;
    let text = '';
    // The default order of sort is by UTF-16 code units.
    for (const key of Object.keys(members).sort()) {
      const member = members[key];
      if (member !== undefined) text += `${text === '' ? '' : ','}${canonicalJson(key)}:${canonicalJson(member)}`;
    }
    return `{${text}}`;
  }
  throw new TypeError(`canonicalJson: ${typeof value} is not JSON`);
};
