import { afterEach, describe, expect, it } from 'vitest';
import { listFiles, readFileAt, searchFiles } from './read.ts';
import { scratch, storeOf, type Scratch } from './scratch.fixture.ts';

let repo: Scratch;
afterEach(() => repo?.remove());

describe('reading tracked files', () => {
  it('lists, reads and searches at a commit', async () => {
    repo = scratch();
    repo.write('a.txt', 'alpha\r\nBeta\n');
    repo.write('src/mit leer/ü.ts', 'const beta = 1;\n');
    repo.write('src/bin.dat', Buffer.from([0, 98, 101, 116, 97]));
    repo.git('update-index', '--add', '--cacheinfo', `120000,${repo.git('hash-object', '-w', 'a.txt')},link`);
    repo.git('add', 'a.txt', 'src');
    repo.git('commit', '-qm', 'first');
    const commit = repo.git('rev-parse', 'HEAD');
    const { store } = await storeOf(repo);
    const all = await listFiles(store, commit, { path: '', limit: 10 });
    expect(all.items.map(({ path, kind }) => `${kind} ${path}`)).toEqual([
      'file a.txt',
      'link link',
      'file src/bin.dat',
      'file src/mit leer/ü.ts',
    ]);
    expect(all.next_after).toBeNull();
    const first = await listFiles(store, commit, { path: '', limit: 2 });
    expect(first.next_after).toBe('link');
    expect((await listFiles(store, commit, { path: '', limit: 2, after: 'link' })).items.map(({ path }) => path)).toEqual([
      'src/bin.dat',
      'src/mit leer/ü.ts',
    ]);
    expect((await listFiles(store, commit, { path: 'src/', limit: 9 })).items).toHaveLength(2);
    await expect(listFiles(store, commit, { path: 'none', limit: 9 })).rejects.toMatchObject({ code: 'not_found' });
    for (const path of ['../x', '/etc', 'a/../b', 'a//b'])
      await expect(readFileAt(store, commit, { path, offset: 0, length: 1 })).rejects.toMatchObject({ code: 'invalid_input' });
    await expect(readFileAt(store, commit, { path: 'src', offset: 0, length: 1 })).rejects.toMatchObject({ code: 'not_found' });
    await expect(readFileAt(store, commit, { path: '*', offset: 0, length: 1 })).rejects.toMatchObject({ code: 'not_found' });
    expect(await readFileAt(store, commit, { path: 'a.txt', offset: 2, length: 3 })).toEqual({ size: 12, bytes: Buffer.from('pha') });
    const options = { text: 'beta', path: '', ignore_case: true, limit: 10 };
    expect(await searchFiles(store, commit, options)).toEqual({
      matches: [
        { path: 'a.txt', line: 2, text: 'Beta' },
        { path: 'src/mit leer/ü.ts', line: 1, text: 'const beta = 1;' },
      ],
      truncated: false,
    });
    expect(await searchFiles(store, commit, { ...options, limit: 1 })).toMatchObject({ truncated: true });
    expect(await searchFiles(store, commit, { ...options, text: '--help' })).toEqual({ matches: [], truncated: false });
  });
});
