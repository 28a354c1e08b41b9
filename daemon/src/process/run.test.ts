import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { pipePrograms, runProgram, type ProgramOrder } from './run.ts';

const sh = (script: string, more: Partial<ProgramOrder> = {}): ProgramOrder => ({
  file: 'sh',
  args: ['-c', script],
  cwd: '/',
  env: {},
  ...more,
});
const took = async <T>(work: Promise<T>): Promise<{ end: T; ms: number }> => {
  const started = performance.now();
  return { end: await work, ms: performance.now() - started };
};

describe('runProgram', () => {
  it('answers code, bytes and words, and inherits nothing', async () => {
    process.env['FAIRLEAD_TEST_LEAK'] = 'leaked';
    const end = await runProgram(sh('printf "\\377\\n\\n"; env >&2; exit 3', { env: { OWN: 'yes' } }));
    delete process.env['FAIRLEAD_TEST_LEAK'];
    expect(end).toMatchObject({ code: 3, signal: null, cut: undefined });
    expect([...end.stdout]).toEqual([0xff, 10, 10]);
    expect(end.stderr).toContain('OWN=yes');
    expect(end.stderr).not.toContain('leaked');
  });

  it.each([
    ['text', 'abc'],
    ['bytes', Buffer.from('abc')],
    ['a stream', Readable.from([Buffer.from('a'), Buffer.from('bc')])],
  ])('feeds %s', async (_, stdin) => {
    expect((await runProgram(sh('cat', { stdin }))).stdout.toString()).toBe('abc');
  });

  it('has an empty input unless it is given one', async () => {
    expect((await runProgram(sh('cat'))).stdout).toHaveLength(0);
  });

  it('does not mind a program that ends without reading its input', async () => {
    expect(await runProgram(sh('exit 4', { stdin: Buffer.alloc(4_000_000) }))).toMatchObject({ code: 4, cut: undefined });
    expect(await runProgram(sh('exit 0', { stdin: Buffer.alloc(4_000_000) }))).toMatchObject({ code: 0, cut: undefined });
  });

  it('ends what takes too long, also when its output goes elsewhere', async () => {
    const { end, ms } = await took(runProgram(sh('echo early; exec sleep 20', { timeout_ms: 150 })));
    expect(end).toMatchObject({ code: null, signal: 'SIGKILL', cut: 'time' });
    expect(end.stdout.toString()).toBe('early\n');
    expect(ms).toBeLessThan(5000);
    const passed: string[] = [];
    const other = await runProgram(
      sh('echo early; exec sleep 20', { timeout_ms: 150, output: (chunk) => void passed.push(chunk.toString()) }),
    );
    expect(other.cut).toBe('time');
    expect(passed.join('')).toBe('early\n');
  });

  it('ends what says too much, also when it stops writing then', async () => {
    const { end, ms } = await took(runProgram(sh("trap '' PIPE; head -c 200000 /dev/zero; exec sleep 20", { limit: 1000 })));
    expect(end).toMatchObject({ signal: 'SIGKILL', cut: 'size' });
    expect(ms).toBeLessThan(5000);
    expect(await runProgram(sh('head -c 1000 /dev/zero', { limit: 1000 }))).toMatchObject({ code: 0, cut: undefined });
  });

  it('drops what is said on standard error beyond its first 64 KiB', async () => {
    const end = await runProgram(sh('head -c 3000000 /dev/zero | tr "\\0" x >&2', { limit: 10 }));
    expect(end).toMatchObject({ code: 0, cut: undefined });
    expect(end.stderr).toHaveLength(64 * 1024);
  });

  it('lets a slow receiver slow the program down, and loses nothing', async () => {
    const hash = createHash('sha256');
    let busy = 0;
    let size = 0;
    const end = await runProgram(
      sh('head -c 3000000 /dev/zero', {
        output: async (chunk) => {
          expect(busy++).toBe(0);
          await new Promise((resolve) => setImmediate(resolve));
          hash.update(chunk);
          size += chunk.length;
          busy--;
        },
      }),
    );
    expect(end.stdout).toHaveLength(0);
    expect(size).toBe(3_000_000);
    expect(hash.digest('hex')).toBe(createHash('sha256').update(Buffer.alloc(3_000_000)).digest('hex'));
  });

  it('ends the program of a receiver that fails, and throws what that threw', async () => {
    const output = () => {
      throw new Error('no more');
    };
    const { ms } = await took(expect(runProgram(sh('echo one; exec sleep 20', { output }))).rejects.toThrow('no more'));
    expect(ms).toBeLessThan(5000);
  });

  it('says what could not be started', async () => {
    const missing = { code: 'requirement_missing' };
    const absent = { file: 'no-such-program-here', args: [], cwd: '/', env: {} };
    await expect(runProgram(absent)).rejects.toMatchObject(missing);
    await expect(runProgram({ ...absent, stdin: 'x', output: () => undefined })).rejects.toMatchObject(missing);
    await expect(runProgram(sh('true', { cwd: '/no/such/folder' }))).rejects.toMatchObject(missing);
    await expect(pipePrograms(absent, sh('cat'))).rejects.toMatchObject(missing);
    await expect(pipePrograms(sh('yes'), absent)).rejects.toMatchObject(missing);
  });
});

describe('pipePrograms', () => {
  it('passes bytes on and answers both ends', async () => {
    const ends = await pipePrograms(sh('cat; echo from >&2', { stdin: 'one' }), sh('cat; echo to >&2; exit 2'));
    expect(ends.from).toMatchObject({ code: 0, stderr: 'from\n' });
    expect(ends.to).toMatchObject({ code: 2, stderr: 'to\n' });
    expect(ends.to.stdout.toString()).toBe('one');
  });

  it('ends a sender whose receiver has gone, by the closed pipe', async () => {
    const ends = await pipePrograms(sh('exec yes'), sh('exit 7'));
    // By the signal, or by the error that comes instead when the pipe was closed with bytes in it.
    expect(ends.from.signal ?? ends.from.stderr).toMatch(/SIGPIPE|reset|[Bb]roken pipe/);
    expect(ends.to.code).toBe(7);
  });

  it('is not bounded by memory or the limit', async () => {
    const ends = await pipePrograms(sh('head -c 70000000 /dev/zero', { limit: 10 }), sh('wc -c'));
    expect(Number(ends.to.stdout.toString())).toBe(70_000_000);
  });
});
