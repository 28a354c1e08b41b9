import { HINTS, KEY_BEGINS, KEY_ENDS, LONGEST_KEY, LONGEST_TOKEN, SECRET_PATTERNS } from './secret-patterns.ts';

/** Masks known secret values in one stream of bytes, also when a value is split over chunks. */
export interface RedactorStream {
  /** What may go on of this chunk and of what was held back before. */
  push(chunk: Uint8Array): Buffer;
  /** The rest. */
  end(): Buffer;
  /** How many values were masked so far, by kind: `known_value`, or one of `SECRET_PATTERNS`. */
  readonly masked: Masked;
}

/** How many values were masked, by kind; a kind that there was none of is left out. */
export type Masked = Readonly<Record<string, number>>;

/** The sum of several counts. */
export const sumMasked = (...all: readonly Masked[]): Masked => {
  const sum: Record<string, number> = {};
  for (const masked of all) for (const [kind, count] of Object.entries(masked)) sum[kind] = (sum[kind] ?? 0) + count;
  return sum;
};

const MASK = Buffer.from('[redacted]');
/** The kind of what is masked by its value. */
const KNOWN = 'known_value';
/** Shorter values would mask everything. */
const SHORTEST = 4;

/** The part of a value's base64 that stays the same whatever stands around it, for each of its three alignments. */
const base64Forms = (value: Buffer): string[] =>
  [0, 1, 2].flatMap((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), value])
      .toString('base64')
      .replace(/=+$/, '');
    const start = Math.ceil((offset * 8) / 6);
    const end = Math.floor(((offset + value.length) * 8) / 6);
    const form = text.slice(start, end);
    return form.length < SHORTEST + 2 ? [] : [form, form.replaceAll('+', '-').replaceAll('/', '_')];
  });

/** Every form in which a value is looked for: as it is, in base64, percent-encoded, and as JSON writes it. */
const formsOf = (value: string): Buffer[] => {
  const bytes = Buffer.from(value, 'utf8');
  if (bytes.length < SHORTEST) return [];
  const texts = [value, ...base64Forms(bytes), encodeURIComponent(value.toWellFormed()), JSON.stringify(value).slice(1, -1)];
  return [...new Set(texts)].map((text) => Buffer.from(text, 'utf8'));
};

const NEVER = /(?!)/;
/** Forms are bytes read as latin1, which for such text is the text itself. */
// eslint-disable-next-line no-control-regex
const ASCII = /^[\x00-\x7f]*$/;
const NONE: readonly Span[] = [];

/** The forms of all values, and what matches where one of them stands. */
interface Forms {
  readonly forms: readonly Buffer[];
  readonly longest: number;
  readonly any: RegExp;
}

interface Span {
  readonly start: number;
  readonly end: number;
  readonly kind: string;
}

/** Where any form or pattern stands, overlapping places made one. */
const findSpans = (bytes: Buffer, { forms, any }: Forms): readonly Span[] => {
  const text = bytes.toString('latin1');
  // Most text holds nothing, and is let through after two looks.
  const hinted = HINTS.test(text);
  if (!hinted && !any.test(text)) return NONE;
  const found: Span[] = [];
  for (const form of forms) {
    for (let at = bytes.indexOf(form); at !== -1; at = bytes.indexOf(form, at + 1))
      found.push({ start: at, end: at + form.length, kind: KNOWN });
  }
  for (const { kind, form } of hinted ? SECRET_PATTERNS : [])
    for (const match of text.matchAll(form)) found.push({ start: match.index, end: match.index + match[0].length, kind });
  found.sort((a, b) => a.start - b.start);
  const merged: Span[] = [];
  for (const span of found) {
    const last = merged.at(-1);
    if (last && span.start < last.end) merged[merged.length - 1] = { ...last, end: Math.max(last.end, span.end) };
    else merged.push(span);
  }
  return merged;
};

const BEARER = 'Bearer ';

/** The token from `at` on, with the word before it that makes it one. */
const wordBefore = (bytes: Buffer, at: number): number => {
  const before = bytes.toString('latin1', Math.max(0, at - BEARER.length), at);
  return before.toLowerCase() === BEARER.toLowerCase() ? at - BEARER.length : at;
};

/** Where a token may go on with the next bytes, or a key has begun and not ended. */
const openFrom = (bytes: Buffer): number => {
  const least = Math.max(0, bytes.length - LONGEST_TOKEN);
  let at = bytes.length;
  while (at > least && isTokenByte(bytes[at - 1]!)) at--;
  const size = bytes.length - at;
  const token = size >= LONGEST_TOKEN ? bytes.length : wordBefore(bytes, at);
  const key = bytes.lastIndexOf(KEY_BEGINS);
  if (key === -1 || bytes.length - key > LONGEST_KEY) return token;
  return KEY_ENDS.test(bytes.toString('latin1', key)) ? token : Math.min(token, key);
};

/** Bytes that neither end a word nor a line. */
const isTokenByte = (byte: number): boolean => byte > 0x20 && byte !== 0x22 && byte !== 0x27 && byte < 0x7f;

/** From where on the bytes may be the beginning of something whose rest has not come yet. */
const heldFrom = (bytes: Buffer, forms: readonly Buffer[], longest: number): number => {
  const open = openFrom(bytes);
  for (let at = Math.max(0, bytes.length - longest + 1); at < open; at++) {
    const rest = bytes.length - at;
    if (forms.some((form) => form.length > rest && form.compare(bytes, at, bytes.length, 0, rest) === 0)) return at;
  }
  return open;
};

const streamOf = (known: Forms): RedactorStream => {
  const { forms, longest } = known;
  let held: Buffer = Buffer.alloc(0);
  const masked: Record<string, number> = {};
  const take = (bytes: Buffer, until: number): Buffer => {
    const parts: Buffer[] = [];
    let at = 0;
    for (const span of findSpans(bytes, known)) {
      if (span.start >= until) break;
      parts.push(bytes.subarray(at, span.start), MASK);
      at = span.end;
      masked[span.kind] = (masked[span.kind] ?? 0) + 1;
    }
    // A value that reaches into what is held back is masked whole now.
    const end = Math.max(at, until);
    parts.push(bytes.subarray(at, end));
    held = Buffer.from(bytes.subarray(end));
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  };
  return {
    push(chunk) {
      const given = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      const bytes = held.length === 0 ? given : Buffer.concat([held, given]);
      return take(bytes, heldFrom(bytes, forms, longest));
    },
    end: () => take(held, held.length),
    masked,
  };
};

const asForms = (values: readonly string[]): Forms => {
  const forms = [...new Map(values.flatMap(formsOf).map((form) => [form.toString('latin1'), form])).values()];
  const longest = forms.reduce((length, form) => Math.max(length, form.length), 0);
  const words = forms.map((form) => form.toString('latin1').replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'));
  return { forms, longest, any: words.length === 0 ? NEVER : new RegExp(words.join('|')) };
};

const maskSpans = (bytes: Buffer, spans: readonly Span[], masked: Record<string, number>): Buffer => {
  const parts: Buffer[] = [];
  let at = 0;
  for (const span of spans) {
    parts.push(bytes.subarray(at, span.start), MASK);
    at = span.end;
    masked[span.kind] = (masked[span.kind] ?? 0) + 1;
  }
  return Buffer.concat([...parts, bytes.subarray(at)]);
};

/** Masks a set of secret values in as many streams as there are. */
export interface Redactor {
  stream(): RedactorStream;
  /** A quick look: false means that nothing of the text would be masked, as it is or in the form that JSON gives it. */
  mayMask(text: string): boolean;
  /** A text that is whole, masked; what was masked is added to `masked`. */
  text(text: string, masked: Record<string, number>): string;
  /** One that masks these values as well. */
  also(values: readonly string[]): Redactor;
}

/** @param values secret values; those shorter than 4 bytes are left alone, since they would mask everything */
export const createRedactor = (values: readonly string[]): Redactor => {
  const forms = asForms(values);
  const redactor: Redactor = {
    stream: () => streamOf(forms),
    mayMask: (text) =>
      HINTS.test(text) || forms.any.test(text) || (!ASCII.test(text) && findSpans(Buffer.from(text, 'utf8'), forms).length > 0),
    text(text, masked) {
      const bytes = Buffer.from(text, 'utf8');
      const spans = findSpans(bytes, forms);
      return spans.length === 0 ? text : maskSpans(bytes, spans, masked).toString('utf8');
    },
    also: (more) => (more.length === 0 ? redactor : createRedactor([...values, ...more])),
  };
  return redactor;
};
