import { LIMITS } from '@fairlead/shared/contract/limits';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLineReader } from './agent-lines.ts';
import type { AgentLine } from './dialect.ts';

const readAll = async (chunks: readonly Buffer[]): Promise<AgentLine[]> => {
  const reader = createLineReader();
  for (const chunk of chunks) reader.push(chunk);
  reader.end();
  const found: AgentLine[] = [];
  for await (const line of reader.lines) found.push(line);
  return found;
};

describe('lines of an agent', () => {
  it('are the same however the bytes were cut', () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue(), { maxLength: 8 }), fc.array(fc.nat(40), { maxLength: 40 }), async (values, cuts) => {
        const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\r\n`).join(''));
        const chunks: Buffer[] = [];
        let at = 0;
        for (const size of cuts) {
          chunks.push(bytes.subarray(at, at + size));
          at = Math.min(bytes.length, at + size);
        }
        chunks.push(bytes.subarray(at));
        expect(await readAll(chunks)).toEqual(values.map((value) => ({ json: JSON.parse(JSON.stringify(value)) as unknown })));
      }),
      { numRuns: 100 },
    ));

  it('are text where they are no JSON, also the last without an end', async () => {
    expect(await readAll([Buffer.from('  \n\nnot json\n{"a":1}\n{"cut'), Buffer.from([0xff])])).toEqual([
      { text: 'not json' },
      { json: { a: 1 } },
      { text: '{"cut\uFFFD' },
    ]);
  });

  it('are given in pieces where they are longer than any message', async () => {
    const size = LIMITS.agent_line.value;
    const found = await readAll([Buffer.alloc(size, 0x61), Buffer.alloc(size, 0x61), Buffer.from('\n"next"\n')]);
    expect(found.map((line) => ('text' in line ? line.text.length : line.json))).toEqual([2 * size, 'next']);
  });

  it('come while more is written', async () => {
    const reader = createLineReader();
    const lines = reader.lines[Symbol.asyncIterator]();
    const first = lines.next();
    reader.push(Buffer.from('1'));
    reader.push(Buffer.from('2\n"x"\n'));
    expect((await first).value).toEqual({ json: 12 });
    expect((await lines.next()).value).toEqual({ json: 'x' });
    reader.end();
    expect((await lines.next()).done).toBe(true);
  });
});
