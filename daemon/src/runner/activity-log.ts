import { StringDecoder } from 'node:string_decoder';
import type { ActivityItem } from '@fairlead/shared/contract/activity';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { isoTime, type Clock } from '@fairlead/shared/kit/clock';
import type { ArtifactFiles, OpenFile, StoredFile } from '../ledger/artifact-files.ts';
import { sumMasked, type Masked, type Redactor } from '../process/redactor.ts';

/** What an activity log came to. */
export interface FinishedActivity extends StoredFile {
  /** How many secret values were masked, by kind. */
  readonly redactions: Masked;
}

/** What is written so far, for those who follow it. */
export interface LiveActivity {
  readonly file: OpenFile | undefined;
  /** Hears that more can be read, or that no more will come. Answers what ends the listening. */
  onGrowth(listener: () => void): () => void;
}

/**
 * The one tap through which all that an executor says goes before anything of it is stored or sent: redacted, cut, numbered, and
 * written as one JSON line each.
 */
export interface ActivityLog extends LiveActivity {
  /** Texts are whole: whoever is told pieces puts them together first, at least to the end of a line. */
  push(item: ActivityItem): void;
  /** Bytes that the executor printed. */
  output(chunk: Uint8Array, from: 'stdout' | 'stderr'): void;
  /** Takes another redactor, which knows more. Before the first item only. */
  maskWith(redactor: Redactor): void;
  /** Ends it; undefined when nothing was ever said. Calling it again answers the same. */
  finish(): Promise<FinishedActivity | undefined>;
}

/** What a program prints comes in pieces, so that a secret may lie across two of them. */
type Streamed = 'stdout' | 'stderr';

/** Nothing that an agent sends is nested deeper by need. */
const DEEPEST = 24;

const cut = (text: string): string => {
  const limit = LIMITS.activity_text.value;
  if (text.length <= limit) return text;
  return `${text.slice(0, limit).toWellFormed()}… (${text.length - limit} characters cut)`;
};

/** Applies `change` to every text in a JSON value. */
const mapTexts = (value: unknown, change: (text: string) => string, depth = 0): unknown => {
  if (typeof value === 'string') return change(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEEPEST) return '…';
  if (Array.isArray(value)) return value.map((one) => mapTexts(one, change, depth + 1));
  const entries = Object.entries(value).map(([key, one]) => [change(key), mapTexts(one, change, depth + 1)] as const);
  return Object.fromEntries(entries);
};

/** A stretch of one kind of text: masked over the borders of its pieces, and never cut within a character. */
const streamOf = (redactor: Redactor) => {
  const masking = redactor.stream();
  const decoder = new StringDecoder('utf8');
  return {
    push: (chunk: Uint8Array): string => decoder.write(masking.push(chunk)),
    end: (): string => decoder.write(masking.end()) + decoder.end(),
    masked: (): Masked => masking.masked,
  };
};

/** Opens a log. The file is begun with the first item, so that work that says nothing leaves none. */
export const openActivity = (artifacts: Pick<ArtifactFiles, 'begin'>, clock: Clock, redactor: Redactor): ActivityLog => {
  let masking = redactor;
  let streams = new Map<Streamed, ReturnType<typeof streamOf>>();
  const listeners = new Set<() => void>();
  let open: Streamed | undefined;
  let seq = 0;
  /** Masked in whole texts, and in stretches of printed bytes. */
  const own: Record<string, number> = {};
  let masked: Masked = {};
  let lines: string[] = [];
  let file: OpenFile | undefined;
  /** The write that is under way, with all that was said while the one before it lasted. */
  let writing: Promise<void> | undefined;
  let broken = false;
  let finished: Promise<FinishedActivity | undefined> | undefined;

  const tell = (): void => {
    for (const listener of listeners) listener();
  };

  /** Writes what is there until nothing more has come in the meantime. */
  const write = async (): Promise<void> => {
    // All that comes in one turn is one write.
    await new Promise((resolve) => void setImmediate(resolve));
    while (lines.length > 0) {
      const bytes = Buffer.from(lines.join(''), 'utf8');
      lines = [];
      file ??= await artifacts.begin({ limit: LIMITS.output_captured.value });
      await file.write(bytes);
      tell();
    }
    writing = undefined;
  };

  /** When `ms` was, as text: most lines come within the same millisecond as the one before. */
  let stamp = { ms: Number.NaN, text: '' };
  const stampOf = (ms: number): string => (ms === stamp.ms ? stamp : (stamp = { ms, text: isoTime(ms) })).text;

  /** @param clean its texts were masked already */
  const put = (item: ActivityItem, clean = false): void => {
    if (broken || seq >= LIMITS.activity_items.value) return;
    seq += 1;
    const last = seq === LIMITS.activity_items.value;
    const kept: ActivityItem = last
      ? { kind: 'notice', level: 'warning', code: 'activity_cut', text: 'More is not kept of this attempt' }
      : item;
    const at = stampOf(clock.now());
    const asLine = (told: ActivityItem): string => `{"seq":${seq},"at":"${at}",${JSON.stringify(told).slice(1)}`;
    let line = asLine(kept);
    // Most lines are short and hold no secret, which one look at the whole line tells.
    if (!clean && (line.length > LIMITS.activity_text.value || masking.mayMask(line))) line = asLine(mapTexts(kept, mask) as ActivityItem);
    lines.push(`${line}\n`);
    if (writing) return;
    writing = write();
    // A failing disk is told once, by `finish`; nothing is gathered for it until then.
    writing.catch(() => void (broken = true));
  };

  /** What was held back of the stretch that is open, because it might have been the beginning of a secret. */
  const endStretch = (): void => {
    if (open === undefined) return;
    const stream = streams.get(open)!;
    const rest = stream.end();
    masked = sumMasked(masked, stream.masked());
    streams.delete(open);
    if (rest !== '') put({ kind: 'output', from: open, text: cut(rest) }, true);
    open = undefined;
  };

  const stretch = (of: Streamed, chunk: Uint8Array): void => {
    if (open !== of) endStretch();
    open = of;
    const stream = streams.get(of) ?? streamOf(masking);
    streams.set(of, stream);
    const text = stream.push(chunk);
    if (text !== '') put({ kind: 'output', from: of, text: cut(text) }, true);
  };

  const mask = (text: string): string => {
    return masking.text(cut(text), own);
  };

  const finish = async (): Promise<FinishedActivity | undefined> => {
    endStretch();
    await writing;
    const stored = await file?.finish();
    tell();
    return stored && { ...stored, redactions: sumMasked(own, masked) };
  };

  return {
    push(item) {
      endStretch();
      put(item);
    },
    output: (chunk, from) => stretch(from, chunk),
    maskWith(other) {
      if (seq > 0) throw new Error('A log has begun under another redactor');
      masking = other;
      streams = new Map();
    },
    get file() {
      return file;
    },
    onGrowth(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    finish: () => (finished ??= finish()),
  };
};
