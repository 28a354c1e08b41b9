import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRedactor } from './redactor.ts';

const through = (values: string[], chunks: Uint8Array[]) => {
  const stream = createRedactor(values).stream();
  const out = Buffer.concat([...chunks.map((chunk) => stream.push(chunk)), stream.end()]);
  return { out, count: Object.values(stream.masked).reduce((sum, one) => sum + one, 0), masked: stream.masked };
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

  /** Made up, and put together here so that no scanner takes this file for a leak. */
  const looksLike: Readonly<Record<string, string>> = {
    anthropic_key: `sk-ant-api03-${'aB3_'.repeat(12)}`,
    openai_key: `sk-proj-${'Zz9'.repeat(15)}`,
    aws_key: `AKIA${'ABCD2345'.repeat(2)}`,
    github_token: `ghp_${'a1B2'.repeat(9)}`,
    gitlab_token: `glpat-${'x'.repeat(20)}`,
    google_key: `AIza${'q'.repeat(35)}`,
    slack_token: 'xoxb-1234567890-abc',
    stripe_key: `sk_live_${'4eC39HqLyjWD'.repeat(2)}`,
    npm_token: `npm_${'k'.repeat(36)}`,
    huggingface_token: `hf_${'h'.repeat(34)}`,
    sendgrid_key: `SG.${'a'.repeat(22)}.${'b'.repeat(43)}`,
    fairlead_token: `flp_${'t'.repeat(43)}`,
    jwt: ['eyJhbGciOiJI', 'eyJzdWIiOiIx', 's5wNf1aA'].join('.'),
    private_key: `-----BEGIN OPENSSH PRIVATE KEY-----\n${'b3BlbnNzaC1rZXk\n'.repeat(20)}-----END OPENSSH PRIVATE KEY-----`,
  };

  it.each(Object.entries(looksLike))('knows %s by its looks', (kind, secret) => {
    const { out, masked } = through([], [Buffer.from(`x "${secret}" y`)]);
    expect(out.toString()).toBe('x "[redacted]" y');
    expect(masked).toEqual({ [kind]: 1 });
  });

  it('masks what follows Bearer and the password of a URL, and leaves the words around them', () => {
    const { out, masked } = through([], [Buffer.from(`Authorization: Bearer ${'a1b2'.repeat(8)}\npostgres://me:hunter22@db/x\n`)]);
    expect(out.toString()).toBe('Authorization: Bearer [redacted]\npostgres://me:[redacted]@db/x\n');
    expect(masked).toEqual({ bearer: 1, url_password: 1 });
  });

  it('leaves ordinary text and code alone', () => {
    const code = 'const token = getToken(); // sk-ip\nconst password = process.env.PASSWORD;\nhttps://example.org/a:b@c AKIA npm_run';
    expect(through([], [Buffer.from(code)]).out.toString()).toBe(code);
  });

  it('masks the same wherever the bytes are cut', () => {
    const text = Object.values(looksLike).join(' and\n') + ` Bearer ${'z9'.repeat(16)} end`;
    const whole = through(['known-value-1'], [Buffer.from(text)]).out.toString();
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: text.length - 1 }), { maxLength: 12 }), (cuts) => {
        const at = [0, ...new Set(cuts.toSorted((a, b) => a - b)), text.length];
        const chunks = at.slice(1).map((end, index) => Buffer.from(text.slice(at[index], end)));
        expect(through(['known-value-1'], chunks).out.toString()).toBe(whole);
      }),
      { numRuns: 300 },
    );
    expect(whole).not.toMatch(/sk-|AKIA|ghp_|eyJ|PRIVATE/);
  });
});
