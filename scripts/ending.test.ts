import { FairleadError } from '@fairlead/shared/contract/errors';
import { describe, expect, it } from 'vitest';
import { endingWell } from './ending.ts';

const ended = async (json: boolean, main: () => Promise<number>) => {
  const said = { out: '', err: '' };
  const streams = { stdout: { write: (text: string) => (said.out += text) }, stderr: { write: (text: string) => (said.err += text) } };
  return { code: await endingWell(json, main, streams), ...said };
};

describe('a script that ends', () => {
  it('well says nothing of its own', async () => {
    expect(await ended(true, () => Promise.resolve(2))).toEqual({ code: 2, out: '', err: '' });
  });

  it('with a refusal says it in words, and with --json in one document', async () => {
    const refuse = () => Promise.reject(new FairleadError('invalid_input', { field: '--repo', detail: 'no \u001b[31mrepository' }));
    const { code, out, err } = await ended(true, refuse);
    expect([code, out.trimEnd().split('\n').length]).toEqual([1, 1]);
    expect(JSON.parse(out)).toMatchObject({ ok: false, error: { code: 'invalid_input', field: '--repo' } });
    expect(err).toContain('field: --repo');
    expect(err).not.toContain('\u001b');
    expect((await ended(false, refuse)).out).toBe('');
  });

  it('with anything else prints no stack', async () => {
    const { code, err } = await ended(false, () => Promise.reject(new Error('the relay ended')));
    expect([code, err]).toEqual([5, expect.stringContaining('the relay ended')]);
    expect(err).not.toMatch(/\n\s+at /);
  });
});
