import type { Readable } from 'node:stream';

/** A body that is small enough, or one that is not, with what was read of it put back in front. */
export type ReadBody =
  | { readonly whole: Buffer; readonly begun?: never }
  | { readonly whole?: never; readonly begun: AsyncIterable<Uint8Array> };

const resumed = async function* (chunks: readonly Buffer[], rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks;
  yield* rest;
};

/**
 * Reads a body of unknown length as long as it stays within a limit in bytes. By events and not by iteration, because this is the path of every
 * small answer.
 * @throws the stream's own error when it breaks
 */
export const readUpTo = (body: Readable, limit: number): Promise<ReadBody> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (read: ReadBody) => {
      body.off('data', take);
      body.off('end', end);
      body.off('error', reject);
      body.off('close', closed);
      resolve(read);
    };
    const take = (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size <= limit) return;
      body.pause();
      settle({ begun: resumed(chunks, body) });
    };
    const end = () => settle({ whole: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks) });
    const closed = () => reject(new Error('the body ended too early'));
    body.on('data', take);
    body.on('end', end);
    body.on('error', reject);
    body.on('close', closed);
  });
