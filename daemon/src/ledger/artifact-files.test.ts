import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openArtifactFiles, type ArtifactFiles } from './artifact-files.ts';

let folder: string;
let files: ArtifactFiles;
const chunks = async function* (...parts: string[]) {
  for (const part of parts) yield Buffer.from(part);
};
const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'nothing',
    (error: { code?: string }) => error.code,
  );

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-artifacts-'));
  files = await openArtifactFiles(join(folder, 'artifacts'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('artifact files', () => {
  it('are named by their digest, private, and the same bytes are one file', async () => {
    const a = await files.store('hello');
    expect(a).toEqual({ sha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824', size: 5 });
    expect(await files.storeStream(chunks('hel', 'lo'))).toEqual(a);
    expect(statSync(files.path(a.sha256)).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'artifacts')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(folder, 'artifacts', 'unfinished'))).toEqual([]);
    expect((await files.read(a.sha256)).toString()).toBe('hello');
    expect((await files.read(a.sha256, { offset: 1, length: 3 })).toString()).toBe('ell');
    expect((await files.read(a.sha256, { offset: 99 })).length).toBe(0);
    expect((await files.store('')).size).toBe(0);
  });

  it('that were altered or are missing are not served', async () => {
    const { sha256 } = await files.store('hello');
    await files.read(sha256);
    writeFileSync(files.path(sha256), 'hellO');
    expect(await codeOf(files.read(sha256))).toBe('artifact_corrupt');
    expect(await codeOf(files.stream(sha256, { offset: 0, length: 1 }))).toBe('artifact_corrupt');
    rmSync(files.path(sha256));
    expect(await codeOf(files.read(sha256))).toBe('artifact_corrupt');
    expect(() => files.path('../../etc/passwd')).toThrow(TypeError);
  });

  it('can be read while they grow, and are capped', async () => {
    const file = await files.begin({ limit: 8 });
    void file.write(Buffer.from('abcde'));
    void file.write(Buffer.from('fghij'));
    expect((await file.read(2, 100)).toString()).toBe('cdefgh');
    expect([file.size, file.truncated]).toEqual([8, true]);
    const { sha256 } = await file.finish();
    expect((await files.read(sha256)).toString()).toBe('abcdefgh');
    expect(await codeOf(files.storeStream(chunks('123', '456'), { limit: 4 }))).toBe('payload_too_large');
    const thrown = await files.begin();
    await thrown.write(Buffer.from('x'));
    await thrown.discard();
    expect(readdirSync(join(folder, 'artifacts', 'unfinished'))).toEqual([]);
  });

  it('half written ones are swept away', async () => {
    const file = await files.begin();
    await file.write(Buffer.from('x'));
    expect(await files.sweep()).toBe(1);
    await file.discard();
  });
});
