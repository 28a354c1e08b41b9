import { LIMITS } from '@fairlead/shared/contract/limits';
import type { ArtifactFiles, OpenFile, StoredFile } from '../ledger/artifact-files.ts';
import { sumMasked, type Masked, type Redactor } from '../process/redactor.ts';

/** What an output came to. */
export interface FinishedOutput extends StoredFile {
  /** How many secret values were masked, by kind. */
  readonly redactions: Masked;
  /** The end of it as text, at most `LIMITS.output_tail` bytes. Untrusted. */
  readonly tail: string;
}

/** The one writer through which output of processes passes: redacted, capped, and streamed to a file. */
export interface OutputSink {
  write(chunk: Uint8Array, from: 'stdout' | 'stderr'): void;
  /** Takes another redactor, which knows more. Before the first byte only. */
  maskWith(redactor: Redactor): void;
  /** What was written so far, for readers of a log that grows; undefined before the first byte. */
  readonly file: OpenFile | undefined;
  /** Ends it; undefined when there never was a byte. Calling it again answers the same. */
  finish(): Promise<FinishedOutput | undefined>;
}

/** Opens a sink. The file is begun with the first byte, so that quiet work leaves none. */
export const openSink = (artifacts: ArtifactFiles, redactor: Redactor): OutputSink => {
  const streamsOf = (one: Redactor) => ({ stdout: one.stream(), stderr: one.stream() });
  let streams = streamsOf(redactor);
  let begun = false;
  let file: OpenFile | undefined;
  let written: Promise<void> = Promise.resolve();
  let tail: Buffer = Buffer.alloc(0);
  let finished: Promise<FinishedOutput | undefined> | undefined;

  const append = (bytes: Buffer): void => {
    if (bytes.length === 0) return;
    const limit = LIMITS.output_tail.value;
    tail = bytes.length >= limit ? bytes.subarray(-limit) : Buffer.concat([tail, bytes]).subarray(-limit);
    written = written.then(async () => {
      file ??= await artifacts.begin({ limit: LIMITS.output_captured.value });
      await file.write(bytes);
    });
    // A failing disk is told once, by `finish`.
    written.catch(() => undefined);
  };

  const finish = async (): Promise<FinishedOutput | undefined> => {
    append(streams.stdout.end());
    append(streams.stderr.end());
    await written;
    if (!file) return undefined;
    const stored = await file.finish();
    return { ...stored, redactions: sumMasked(streams.stdout.masked, streams.stderr.masked), tail: tail.toString('utf8') };
  };

  return {
    write: (chunk, from) => {
      begun = true;
      append(streams[from].push(chunk));
    },
    maskWith: (other) => {
      if (begun) throw new Error('An output has begun under another redactor');
      streams = streamsOf(other);
    },
    get file() {
      return file;
    },
    finish: () => (finished ??= finish()),
  };
};
