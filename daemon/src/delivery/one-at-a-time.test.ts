import { describe, expect, it } from 'vitest';
import { oneAtATime } from './one-at-a-time.ts';

describe('oneAtATime', () => {
  it('orders work of one key, also after a failure, and lets other keys pass', async () => {
    const run = oneAtATime();
    const seen: string[] = [];
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => void (release = resolve));
    const first = run('a', async () => {
      await gate;
      seen.push('first');
      throw new Error('failed');
    });
    const second = run('a', async () => void seen.push('second'));
    await run('b', async () => void seen.push('other'));
    expect(seen).toEqual(['other']);
    release();
    await expect(first).rejects.toThrow('failed');
    await second;
    expect(seen).toEqual(['other', 'first', 'second']);
  });
});
