/** Masks known secret values in one stream of bytes, also when a value is split over chunks. */
export interface RedactorStream {
  /** What may go on of this chunk and of what was held back before. */
  push(chunk: Uint8Array): Buffer;
  /** The rest. */
  end(): Buffer;
  /** How many values were masked so far. */
  readonly count: number;
}

const MASK = Buffer.from('[redacted]');
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

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Where any form stands, overlapping places made one. */
const findSpans = (bytes: Buffer, forms: readonly Buffer[]): Span[] => {
  const found: Span[] = [];
  for (const form of forms) {
    for (let at = bytes.indexOf(form); at !== -1; at = bytes.indexOf(form, at + 1)) found.push({ start: at, end: at + form.length });
  }
  found.sort((a, b) => a.start - b.start);
  const merged: Span[] = [];
  for (const span of found) {
    const last = merged.at(-1);
    if (last && span.start < last.end) merged[merged.length - 1] = { start: last.start, end: Math.max(last.end, span.end) };
    else merged.push(span);
  }
  return merged;
};

/** From where on the bytes may be the beginning of a form whose rest has not come yet. */
const heldFrom = (bytes: Buffer, forms: readonly Buffer[], longest: number): number => {
  for (let at = Math.max(0, bytes.length - longest + 1); at < bytes.length; at++) {
    const rest = bytes.length - at;
    if (forms.some((form) => form.length > rest && form.compare(bytes, at, bytes.length, 0, rest) === 0)) return at;
  }
  return bytes.length;
};

const streamOf = (forms: readonly Buffer[]): RedactorStream => {
  const longest = forms.reduce((length, form) => Math.max(length, form.length), 0);
  let held: Buffer = Buffer.alloc(0);
  let count = 0;
  const take = (bytes: Buffer, until: number): Buffer => {
    const parts: Buffer[] = [];
    let at = 0;
    for (const span of findSpans(bytes, forms)) {
      if (span.start >= until) break;
      parts.push(bytes.subarray(at, span.start), MASK);
      at = span.end;
      count++;
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
      if (longest === 0) return given;
      const bytes = held.length === 0 ? given : Buffer.concat([held, given]);
      return take(bytes, heldFrom(bytes, forms, longest));
    },
    end: () => take(held, held.length),
    get count() {
      return count;
    },
  };
};

/** Masks a set of secret values in as many streams as there are. */
export interface Redactor {
  stream(): RedactorStream;
  /** One that masks these values as well. */
  also(values: readonly string[]): Redactor;
}

/** @param values secret values; those shorter than 4 bytes are left alone, since they would mask everything */
export const createRedactor = (values: readonly string[]): Redactor => {
  const forms = [...new Map(values.flatMap(formsOf).map((form) => [form.toString('latin1'), form])).values()];
  const redactor: Redactor = {
    stream: () => streamOf(forms),
    also: (more) => (more.length === 0 ? redactor : createRedactor([...values, ...more])),
  };
  return redactor;
};
