import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { artifactPage } from './artifact-page.ts';

describe('artifactPage', () => {
  it('puts any bytes together again, whatever the size of the pages', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
        ),
        fc.integer({ min: 4, max: 9 }),
        (raw, size) => {
          const whole = Buffer.from(raw);
          const parts: Buffer[] = [];
          for (let at = 0; at < whole.length;) {
            const bytes = whole.subarray(at, at + size);
            const { encoding, content, used } = artifactPage(bytes, at + bytes.length >= whole.length);
            expect(used).toBeGreaterThan(0);
            parts.push(Buffer.from(content, encoding));
            at += used;
          }
          expect(Buffer.concat(parts)).toEqual(whole);
        },
      ),
    );
  });

  it('is text where it is text, and base64 otherwise', () => {
    expect(artifactPage(Buffer.from('grü'), true)).toEqual({ encoding: 'utf-8', content: 'grü', used: 4 });
    expect(artifactPage(Buffer.from('grü').subarray(0, 3), false)).toEqual({ encoding: 'utf-8', content: 'gr', used: 2 });
    expect(artifactPage(Buffer.from([0xff, 0xfe]), true)).toMatchObject({ encoding: 'base64', used: 2 });
    expect(artifactPage(Buffer.alloc(0), true)).toEqual({ encoding: 'utf-8', content: '', used: 0 });
  });
});
