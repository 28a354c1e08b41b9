import { describe, expect, it } from 'vitest';
import { blocksOf } from './event-source.ts';

async function* chunks(...parts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield typeof part === 'string' ? Buffer.from(part) : part;
}

describe('blocksOf', () => {
  it('splits messages wherever the chunks are cut', async () => {
    const text = Buffer.from('id: 1\nevent: begin\ndata: {"a":"ü"}\n\n: still here\n\ndata: {"b":1}\n\n');
    for (let cut = 1; cut < text.length; cut++) {
      const blocks: unknown[] = [];
      for await (const block of blocksOf(chunks(text.subarray(0, cut), text.subarray(cut)))) blocks.push(block);
      expect(blocks).toEqual([
        { type: 'begin', data: '{"a":"ü"}', id: '1' },
        { type: 'message', data: '{"b":1}', id: undefined },
      ]);
    }
  });
});
