import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { asStorageError, ensurePrivateFolder, writeFileAtomic } from './atomic-file.ts';
import { hashSecret, mintSecret, readSecretFile, secretMatches, writeSecretFile } from './secret.ts';
import { migrate, openDatabase } from './sqlite.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'fairlead-kit-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});
const modeOf = async (file: string) => (await stat(file)).mode & 0o777;

describe('writeFileAtomic', () => {
  it('replaces a file whole, closes it to others and leaves nothing beside it', async () => {
    const file = path.join(folder, 'status.json');
    await writeFile(file, 'old', { mode: 0o644 });
    await writeFileAtomic(file, 'new');
    expect(await readFile(file, 'utf8')).toBe('new');
    expect(await modeOf(file)).toBe(0o600);
    expect(await readdir(folder)).toEqual(['status.json']);
  });

  it('leaves the old content and nothing beside it when it fails', async () => {
    const file = path.join(folder, 'taken');
    await mkdir(path.join(file, 'not-empty'), { recursive: true });
    await expect(writeFileAtomic(file, 'new')).rejects.toThrow();
    expect(await readdir(folder)).toEqual(['taken']);
  });

  it.skipIf(process.platform !== 'linux')('says in the words of the table that a place cannot be written', async () => {
    await expect(writeFileAtomic('/sys/fairlead', 'new')).rejects.toMatchObject({ code: 'store_unwritable' });
    await expect(ensurePrivateFolder('/sys/fairlead')).rejects.toMatchObject({ code: 'store_unwritable' });
  });

  it('many writers at once leave one whole content', async () => {
    const file = path.join(folder, 'race');
    const contents = Array.from({ length: 20 }, (_, index) => String(index).repeat(10_000));
    await Promise.all(contents.map((content) => writeFileAtomic(file, content)));
    expect(contents).toContain(await readFile(file, 'utf8'));
    expect(await readdir(folder)).toEqual(['race']);
  });
});

describe('ensurePrivateFolder', () => {
  it('makes the whole path private, and closes a folder that was open', async () => {
    await ensurePrivateFolder(path.join(folder, 'a', 'b'));
    expect(await modeOf(path.join(folder, 'a'))).toBe(0o700);
    await mkdir(path.join(folder, 'open'));
    await chmod(path.join(folder, 'open'), 0o755);
    await ensurePrivateFolder(path.join(folder, 'open'));
    expect(await modeOf(path.join(folder, 'open'))).toBe(0o700);
  });
});

describe('secrets', () => {
  it('say what they are for, are never the same, and match their hash alone', () => {
    const secret = mintSecret('flp');
    expect(secret).toMatch(/^flp_[A-Za-z0-9_-]{43}$/);
    expect(mintSecret('flp')).not.toBe(secret);
    expect(secretMatches(hashSecret(secret), secret)).toBe(true);
    expect(secretMatches(hashSecret(secret), `${secret}x`)).toBe(false);
    expect(secretMatches('', secret)).toBe(false);
    expect(secretMatches('nonsense', secret)).toBe(false);
  });

  it('are read from files that only their owner can read', async () => {
    const file = path.join(folder, 'token');
    await writeSecretFile(file, 'flo_secret');
    expect(await readSecretFile(file)).toBe('flo_secret');
    for (const mode of [0o640, 0o604, 0o620, 0o601]) {
      await chmod(file, mode);
      await expect(readSecretFile(file)).rejects.toMatchObject({
        code: 'secret_exposed',
        context: { hint: expect.stringContaining(file) as string },
      });
    }
    await expect(readSecretFile(path.join(folder, 'missing'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('databases', () => {
  const one = { number: 1, name: 'one', sql: 'CREATE TABLE a (id INTEGER PRIMARY KEY) STRICT;' };
  const two = { number: 2, name: 'two', sql: 'CREATE TABLE b (a INTEGER NOT NULL REFERENCES a) STRICT;' };

  it('are private, durable and checked', async () => {
    const file = path.join(folder, 'x.db');
    const db = openDatabase(file);
    migrate(db, [one, two]);
    expect(['journal_mode', 'synchronous', 'foreign_keys'].map((name) => db.pragma(name, { simple: true }))).toEqual(['wal', 2, 1]);
    expect(() => db.exec('INSERT INTO b VALUES (7)')).toThrow(/FOREIGN KEY/);
    db.exec('INSERT INTO a VALUES (7)');
    for (const name of await readdir(folder)) expect(await modeOf(path.join(folder, name)), name).toBe(0o600);
    const reader = openDatabase(file, { readonly: true });
    expect(reader.prepare('SELECT id FROM a').pluck().all()).toEqual([7]);
    const refused = (() => {
      try {
        return reader.exec('INSERT INTO a VALUES (8)');
      } catch (error) {
        return asStorageError(error);
      }
    })();
    expect(refused).toMatchObject({ code: 'store_unwritable' });
    reader.close();
    db.close();
  });

  it('are brought up step by step, and never down', () => {
    const file = path.join(folder, 'y.db');
    const first = openDatabase(file);
    migrate(first, [one]);
    migrate(first, [one, two]);
    migrate(first, [one, two]);
    expect(first.pragma('user_version', { simple: true })).toBe(2);
    expect(() => migrate(first, [one])).toThrow(expect.objectContaining({ code: 'schema_newer' }));
    expect(() => migrate(first, [one, { ...two, number: 3 }])).toThrow(TypeError);
    first.close();
  });

  it('a migration that fails leaves nothing of itself', () => {
    const db = openDatabase(':memory:');
    expect(() => migrate(db, [one, { number: 2, name: 'bad', sql: 'CREATE TABLE c (x); CREATE TABLE a (x);' }])).toThrow(/already exists/);
    expect(db.pragma('user_version', { simple: true })).toBe(1);
    expect(db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").pluck().all()).toEqual(['a']);
    db.close();
  });

  it('a folder that is not there, and a full disk, have their codes', () => {
    expect(() => openDatabase(path.join(folder, 'no', 'x.db'))).toThrow();
    expect(asStorageError(Object.assign(new Error('full'), { code: 'ENOSPC' }))).toMatchObject({ code: 'disk_full' });
    expect(asStorageError(Object.assign(new Error('full'), { code: 'SQLITE_FULL' }))).toMatchObject({ code: 'disk_full' });
    expect(asStorageError(Object.assign(new Error('ro'), { code: 'EROFS' }))).toMatchObject({ code: 'store_unwritable' });
    const other = new Error('other');
    expect(asStorageError(other)).toBe(other);
  });

  it('a database that reaches its size limit reports a full disk and keeps what it acknowledged', () => {
    const db = openDatabase(path.join(folder, 'full.db'));
    db.exec('CREATE TABLE t (x TEXT)');
    db.pragma('max_page_count = 20');
    const insert = db.prepare('INSERT INTO t VALUES (?)');
    let kept = 0;
    const fill = () => {
      for (;;) {
        insert.run('x'.repeat(2000));
        kept++;
      }
    };
    try {
      fill();
    } catch (error) {
      expect(asStorageError(error)).toMatchObject({ code: 'disk_full' });
    }
    expect(db.prepare('SELECT count(*) FROM t').pluck().get()).toBe(kept);
    db.close();
  });
});
