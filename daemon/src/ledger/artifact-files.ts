import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { asStorageError, ensurePrivateFolder } from '@fairlead/shared/kit/atomic-file';
import { randomBytes } from '@fairlead/shared/kit/clock';

/** A file of evidence as it was stored. */
export interface StoredFile {
  /** Hex, without a prefix. */
  readonly sha256: string;
  /** In bytes. */
  readonly size: number;
}

/** A file of evidence that is still being written. */
export interface OpenFile {
  /** Takes a chunk; awaiting the answer is backpressure. Bytes beyond the limit are dropped. */
  write(chunk: Uint8Array): Promise<void>;
  /** Bytes kept so far. */
  readonly size: number;
  /** Whether bytes were dropped. */
  readonly truncated: boolean;
  /** A part of what was written so far, for logs that are read while they grow. Offsets in bytes. */
  read(offset: number, length: number): Promise<Buffer>;
  /** Makes it durable under its digest. */
  finish(): Promise<StoredFile>;
  /** Throws it away. */
  discard(): Promise<void>;
}

/** A part of a file, in bytes. */
interface ByteRange {
  readonly offset?: number;
  readonly length?: number;
}

/** Evidence on the disk: files named by their SHA-256, written beside and renamed, never changed. */
export interface ArtifactFiles {
  /** Stores bytes. Storing the same bytes again is free. @throws FairleadError `disk_full`, `store_unwritable` */
  store(bytes: Uint8Array | string): Promise<StoredFile>;
  /** Stores a stream in bounded memory. @throws FairleadError `payload_too_large` beyond `limit` bytes, `disk_full`, `store_unwritable` */
  storeStream(source: AsyncIterable<Uint8Array>, options?: { readonly limit?: number }): Promise<StoredFile>;
  /** Begins a file that grows; `limit` (in bytes) caps what is kept. */
  begin(options?: { readonly limit?: number }): Promise<OpenFile>;
  /** A part of a file, or all of it; the whole is verified first. @throws FairleadError `artifact_corrupt` */
  read(sha256: string, range?: ByteRange): Promise<Buffer>;
  /** The same as a stream, verified before the first byte is given. @throws FairleadError `artifact_corrupt` */
  stream(sha256: string, range?: ByteRange): Promise<AsyncIterable<Uint8Array>>;
  /** Where a file lies. */
  path(sha256: string): string;
  /** Removes what a crash left half written. Answers how many files. */
  sweep(): Promise<number>;
}

const corrupt = (sha256: string, detail: string): FairleadError => new FairleadError('artifact_corrupt', { detail, more: { sha256 } });

/** Any failure of the file system in the shape that callers know. */
const storing = async <T>(work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    throw asStorageError(error);
  }
};

interface Place {
  /** Where the file with this digest lies. */
  path(sha256: string): string;
  /** A new name for a file that is being written. */
  fresh(): string;
}

const present = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Gives a finished file its name. The folder is synced, so that the name is as durable as the bytes. */
const settle = async (place: Place, handle: FileHandle, temporary: string, hash: Hash, size: number): Promise<StoredFile> => {
  const sha256 = hash.digest('hex');
  const path = place.path(sha256);
  if (await present(path)) {
    await handle.close();
    await rm(temporary, { force: true });
    return { sha256, size };
  }
  await handle.sync();
  await handle.close();
  const folder = join(path, '..');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await rename(temporary, path);
  const directory = await open(folder, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
  return { sha256, size };
};

const beginFile = async (place: Place, limit: number): Promise<OpenFile> => {
  const temporary = place.fresh();
  const handle = await open(temporary, 'wx+', 0o600);
  const hash = createHash('sha256');
  let size = 0;
  let truncated = false;
  let ended = false;
  let settled: Promise<StoredFile> | undefined;
  // Writes are queued one behind the other: callers need not await each to keep the order.
  let last: Promise<unknown> = Promise.resolve();
  const append = async (chunk: Uint8Array): Promise<void> => {
    let done = 0;
    while (done < chunk.length) done += (await handle.write(chunk, done, chunk.length - done)).bytesWritten;
  };
  return {
    get size() {
      return size;
    },
    get truncated() {
      return truncated;
    },
    write(chunk) {
      const kept = chunk.length > limit - size ? chunk.subarray(0, limit - size) : chunk;
      truncated ||= kept.length < chunk.length;
      if (kept.length === 0) return Promise.resolve();
      size += kept.length;
      hash.update(kept);
      const written = last.then(() => storing(() => append(kept)));
      last = written;
      // The failure is also what `finish` rejects with; a caller that does not await a write must not bring the process down.
      written.catch(() => undefined);
      return written;
    },
    async read(offset, length) {
      await last;
      const buffer = Buffer.alloc(Math.max(0, Math.min(length, size - offset)));
      if (buffer.length === 0) return buffer;
      if (!settled) {
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset);
        return buffer.subarray(0, bytesRead);
      }
      // It has its name by now, and may be recorded only later.
      const file = await open(place.path((await settled).sha256), 'r');
      try {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
        return buffer.subarray(0, bytesRead);
      } finally {
        await file.close();
      }
    },
    async finish() {
      await last;
      ended = true;
      settled = storing(() => settle(place, handle, temporary, hash, size));
      return settled;
    },
    async discard() {
      if (ended) return;
      ended = true;
      await last.catch(() => undefined);
      await handle.close();
      await rm(temporary, { force: true });
    },
  };
};

/** Verifies files before they are served, and remembers those that have not been touched since. */
const createVerifier = (place: Place) => {
  const verified = new Map<string, string>();
  return async (sha256: string): Promise<number> => {
    const path = place.path(sha256);
    const facts = await stat(path, { bigint: true }).catch(() => undefined);
    if (!facts) throw corrupt(sha256, 'The file is missing');
    const print = `${facts.ino}:${facts.size}:${facts.mtimeNs}:${facts.ctimeNs}`;
    if (verified.get(sha256) === print) return Number(facts.size);
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer);
    if (hash.digest('hex') !== sha256) throw corrupt(sha256, 'The stored bytes are not those that were recorded');
    // It is a memory of recent files, not an index: it may forget everything.
    if (verified.size >= 1000) verified.clear();
    verified.set(sha256, print);
    return Number(facts.size);
  };
};

/** Opens the artifact folder (0700), and makes it where there is none. */
export const openArtifactFiles = async (folder: string): Promise<ArtifactFiles> => {
  const unfinished = join(folder, 'unfinished');
  await ensurePrivateFolder(folder);
  await ensurePrivateFolder(unfinished);
  const place: Place = {
    path: (sha256) => {
      if (!/^[0-9a-f]{64}$/.test(sha256)) throw new TypeError('not a SHA-256 in hex');
      return join(folder, sha256.slice(0, 2), sha256);
    },
    fresh: () => join(unfinished, randomBytes(12).toString('hex')),
  };
  const verify = createVerifier(place);
  const begin: ArtifactFiles['begin'] = (options) => storing(() => beginFile(place, options?.limit ?? LIMITS.artifact.value));
  const stream = async (sha256: string, { offset = 0, length }: ByteRange = {}): Promise<AsyncIterable<Uint8Array>> => {
    const size = await verify(sha256);
    const end = Math.min(size, length === undefined ? size : offset + length);
    if (offset >= end) return (async function* () {})();
    return createReadStream(place.path(sha256), { start: offset, end: end - 1 });
  };
  return {
    path: (sha256) => place.path(sha256),
    begin,
    stream,
    async store(bytes) {
      const file = await begin();
      await file.write(typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
      return file.finish();
    },
    async storeStream(source, options) {
      const file = await begin(options);
      try {
        for await (const chunk of source) await file.write(chunk);
        if (!file.truncated) return await file.finish();
      } catch (error) {
        await file.discard();
        throw error;
      }
      await file.discard();
      throw new FairleadError('payload_too_large', { detail: 'The file is larger than an artifact may be' });
    },
    async read(sha256, range) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of await stream(sha256, range)) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
    async sweep() {
      const left = await readdir(unfinished);
      await Promise.all(left.map((name) => rm(join(unfinished, name), { force: true })));
      return left.length;
    },
  };
};
