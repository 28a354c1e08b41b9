import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRedactor } from './redactor.ts';

const through = (values: string[], chunks: Uint8Array[]) => {
  const stream = createRedactor(values).stream();
  const out = Buffer.concat([...chunks.map((chunk) => stream.push(chunk)), stream.end()]);
  return { out, count: stream.count };
};

describe('redactor', () => {
  it('masks a value in every form', () => {
    const secret = 'p4ss w"rd/ü+42';
    for (const lead of ['', 'a', 'ab', 'abc']) {
      const inBase64 = Buffer.from(`${lead}${secret}tail`).toString('base64');
      expect(through([secret], [Buffer.from(inBase64)]).count).toBe(1);
      expect(through([secret], [Buffer.from(Buffer.from(`${lead}${secret}`).toString('base64url'))]).count).toBe(1);
    }
    const text = `x ${secret} y ${encodeURIComponent(secret)} ${JSON.stringify(secret)}`;
    expect(through([secret], [Buffer.from(text)]).out.toString()).toBe('x [redacted] y [redacted] "[redacted]"');
  });

  it('holds nothing back at the end and leaves short values alone', () => {
    expect(through(['secret-value', 'abc'], [Buffer.from('secret-valu'), Buffer.from(' abc')]).out.toString()).toBe('secret-valu abc');
  });

  it('masks the longer of two values that begin alike', () => {
    expect(through(['token', 'token-long'], [Buffer.from('tok'), Buffer.from('en-lo'), Buffer.from('ng token-x')]).out.toString()).toBe(
      '[redacted] [redacted]-x',
    );
  });

  it('does not depend on how bytes are cut into chunks', () => {
    const alphabet = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 0, maxLength: 60 });
    fc.assert(
      fc.property(alphabet, fc.array(fc.nat(60), { maxLength: 8 }), (text, cuts) => {
        const bytes = Buffer.from(text);
        const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
        const chunks = places.slice(1).map((end, at) => bytes.subarray(places[at], end));
        const { out } = through(['abcab', 'ccbb'], chunks);
        expect(out.includes('abcab')).toBe(false);
        expect(out.includes('ccbb')).toBe(false);
      }),
    );
  });
});
