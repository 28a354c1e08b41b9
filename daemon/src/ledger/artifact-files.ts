
/** A file of evidence as it was stored. */
export interface StoredFile {
  /** Hex, without a prefix. */
  readonly sha256: string;
  /** In bytes. */
  readonly size: number;
}

/** A file of evidence that is still being written. */
export interface OpenFile {
  /** Takes a chunk; awaiting the answer is backpressure. Bytes beyond the limit are counted and dropped. */
  write(chunk: Uint8Array): Promise<void>;
  /** Bytes taken so far. */
  readonly size: number;
  /** A part of what was written so far, for logs that are read while they grow. Offsets in bytes. */
  read(offset: number, length: number): Promise<Buffer>;
  /** Makes it durable under its digest. */
  finish(): Promise<StoredFile>;
  /** Throws it away. */
  discard(): Promise<void>;
}

/** Evidence on the disk: files named by their SHA-256, written beside and renamed, never changed. */
export interface ArtifactFiles {
  /** Stores bytes. Storing the same bytes again is free. @throws FairleadError `disk_full`, `store_unwritable` */
  store(bytes: Uint8Array | string): Promise<StoredFile>;
  /** Stores a stream in bounded memory. @throws FairleadError `payload_too_large`, `disk_full`, `store_unwritable` */
  storeStream(source: AsyncIterable<Uint8Array>, options?: { readonly limit?: number }): Promise<StoredFile>;
  /** Begins a file that grows; `limit` caps what is kept. */
  begin(options?: { readonly limit?: number }): Promise<OpenFile>;
  /** A part of a file, or all of it; the whole is verified first. @throws FairleadError `artifact_corrupt` */
  read(sha256: string, range?: { readonly offset?: number; readonly length?: number }): Promise<Buffer>;
  /** The same as a stream, verified before the first byte is given. @throws FairleadError `artifact_corrupt` */
  stream(sha256: string, range?: { readonly offset?: number; readonly length?: number }): Promise<AsyncIterable<Uint8Array>>;
  /** Where a file lies. */
  path(sha256: string): string;
  /** Removes what a crash left half written. Answers how many files. */
  sweep(): Promise<number>;
}
