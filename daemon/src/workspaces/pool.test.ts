import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '@fairlead/shared/kit/clock';
import { checkOut } from '../git/checkout.ts';
import { readDifference } from '../git/difference.ts';
import { scratch, storeOf, type Scratch } from '../git/scratch.fixture.ts';
import { takeSnapshot } from '../git/snapshot.ts';
import { syncStore, type Store } from '../git/store.ts';
import type { PoolOptions } from './pool.ts';
import { createWorkspaces, type Workspaces } from './workspaces.ts';

const MAIN = 'refs/heads/main';
const repos: Scratch[] = [];
const open: Workspaces[] = [];
afterEach(async () => {
  for (const workspaces of open.splice(0)) await workspaces.close();
  for (const repo of repos.splice(0)) repo.remove();
});

/** A file system that can really be filled. Only root may mount one. */
const mountSmall = (folder: string): void => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=15m,mode=0700', 'tmpfs', folder], { stdio: 'ignore' });
};
const canMount = ((): boolean => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-mount-'));
  try {
    mountSmall(folder);
    execFileSync('umount', [folder]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
})();

const repository = async () => {
  const repo = scratch();
  repos.push(repo);
  repo.write('a.txt', 'a\n');
  repo.write('dir/b.txt', 'b\n');
  repo.write('.gitignore', 'node_modules/\n');
  const base = repo.commit('first');
  const { store, facts } = await storeOf(repo);
  const next = async (name: string, content: string): Promise<string> => {
    repo.write(name, content);
    const commit = repo.commit('next');
    await syncStore(store, facts, [MAIN]);
    return commit;
  };
  return { repo, store, base, next };
};

const opened = (home: string, options: Partial<PoolOptions> = {}) => {
  const failures: unknown[] = [];
  const root = join(home, 'pool');
  const workspaces = createWorkspaces(join(home, 'work'), {
    root,
    folders: 2,
    disk: 64 * 1024 * 1024,
    failed: (error) => failures.push(error),
    ...options,
  });
  open.push(workspaces);
  return { workspaces, failures, root };
};

const shelf = (workspaces: Workspaces, store: Store) => workspaces.state().pool.stores.find((one) => one.store === store.folder);

/** Waits until so many checkouts of a store are ready. */
const ready = async (workspaces: Workspaces, store: Store, count: number): Promise<void> => {
  const until = systemClock.monotonic() + 15_000;
  while (shelf(workspaces, store)?.ready !== count) {
    if (systemClock.monotonic() > until) throw new Error(`there are ${shelf(workspaces, store)?.ready} ready, not ${count}`);
    await systemClock.sleep(20);
  }
};

/** Every inode of files below a folder: what is moved keeps them, what is made anew has others. */
const inodes = (folder: string): number[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => statSync(join(entry.parentPath, entry.name)).ino);

const pooled = (root: string): string[] =>
  readdirSync(root).flatMap((own) => readdirSync(join(root, own)).map((name) => join(root, own, name)));

describe('the pool', () => {
  it('fills after the first use, and hands out a checkout that is moved to the base with a .git of its own', async () => {
    const { repo, store, base, next } = await repository();
    const { workspaces, root, failures } = opened(repo.folder);
    await workspaces.create({ name: 'att_1', store, commit: base });
    await ready(workspaces, store, 2);
    expect((lstatSync(root).mode & 0o777).toString(8)).toBe('700');
    const kept = pooled(root).flatMap((place) => inodes(join(place, 'files')));
    const moved = await next('new/c.txt', 'c\n');
    const workspace = await workspaces.create({ name: 'att_2', store, commit: moved, private_git: 'unconfined' });
    const mine = inodes(join(workspace.folder, 'dir'));
    expect(kept).toEqual(expect.arrayContaining(mine));
    expect(readFileSync(join(workspace.folder, 'new/c.txt'), 'utf8')).toBe('c\n');
    const git = (...args: string[]): string =>
      execFileSync('git', args, { cwd: workspace.folder, env: { PATH: process.env['PATH'], HOME: '/nonexistent' }, encoding: 'utf8' });
    expect(git('status', '--porcelain')).toBe('');
    expect(git('rev-parse', 'HEAD').trim()).toBe(moved);
    expect(git('symbolic-ref', 'HEAD').trim()).toBe('refs/heads/work');
    expect(git('log', '--format=%s').trim()).toBe('next\nfirst');
    writeFileSync(join(workspace.folder, 'a.txt'), 'A\n');
    const { tree } = await takeSnapshot(store, workspace.folder, workspace.index);
    expect((await readDifference(store, moved, tree)).entries.map(({ path }) => path)).toEqual(['a.txt']);
    expect(failures).toEqual([]);
  });

  it('sees a change of the same length that an attempt makes at once, whatever times it gives the file', async () => {
    const { repo, store, base } = await repository();
    const { workspaces } = opened(repo.folder);
    await workspaces.create({ name: 'att_1', store, commit: base });
    await ready(workspaces, store, 2);
    const workspace = await workspaces.create({ name: 'att_2', store, commit: base });
    const file = join(workspace.folder, 'a.txt');
    const { atime, mtime } = statSync(file);
    writeFileSync(file, 'B\n');
    utimesSync(file, atime, mtime);
    const { tree } = await takeSnapshot(store, workspace.folder, workspace.index);
    expect((await readDifference(store, base, tree)).entries.map(({ path }) => path)).toEqual(['a.txt']);
  });

  it('never takes a folder back, and holds only tips of the owner', async () => {
    const { repo, store, base } = await repository();
    const { workspaces, root } = opened(repo.folder);
    const first = await workspaces.create({ name: 'att_1', store, commit: base });
    writeFileSync(join(first.folder, 'made-by-an-agent'), 'x');
    const { tree } = await takeSnapshot(store, first.folder, first.index);
    const used = inodes(first.folder);
    await workspaces.release(first);
    const check = await workspaces.create({ name: 'att_1.check', store, commit: tree });
    expect(existsSync(join(check.folder, 'made-by-an-agent'))).toBe(true);
    await ready(workspaces, store, 2);
    for (const place of pooled(root)) expect(existsSync(join(place, 'files', 'made-by-an-agent'))).toBe(false);
    // Nothing of the first one lives on under another name.
    const live = new Set(pooled(root).flatMap((place) => inodes(join(place, 'files'))));
    expect(live.size).toBe(used.length * 2 - 2);
    const later = await workspaces.create({ name: 'att_2', store, commit: base });
    expect(existsSync(join(later.folder, 'made-by-an-agent'))).toBe(false);
  });

  it('is not used where somebody was in a folder, and the checkout is a whole one all the same', async () => {
    const { repo, store, base } = await repository();
    const { workspaces, root } = opened(repo.folder, { folders: 1 });
    await workspaces.create({ name: 'att_1', store, commit: base });
    await ready(workspaces, store, 1);
    const [place] = pooled(root);
    writeFileSync(join(place!, 'files', 'a.txt'), 'X\n');
    mkdirSync(join(place!, 'files', 'node_modules'));
    writeFileSync(join(place!, 'files', 'node_modules', 'evil.js'), '');
    const workspace = await workspaces.create({ name: 'att_2', store, commit: base });
    expect(readdirSync(workspace.folder).toSorted()).toEqual(['.gitignore', 'a.txt', 'dir']);
    expect(readFileSync(join(workspace.folder, 'a.txt'), 'utf8')).toBe('a\n');
    await ready(workspaces, store, 1);
    rmSync(pooled(root)[0]!, { recursive: true });
    expect(readdirSync((await workspaces.create({ name: 'att_3', store, commit: base })).folder).toSorted()).toEqual([
      '.gitignore',
      'a.txt',
      'dir',
    ]);
  });

  it('keeps to its budget, and drops what was not used for longest', async () => {
    const [one, two, three] = [await repository(), await repository(), await repository()];
    // Three files in blocks of 4 KiB each: there is room for three checkouts.
    const { workspaces } = opened(one.repo.folder, { disk: 9 * 4096 });
    await workspaces.create({ name: 'att_1', store: one.store, commit: one.base });
    await ready(workspaces, one.store, 2);
    await workspaces.create({ name: 'att_2', store: two.store, commit: two.base });
    await ready(workspaces, two.store, 2);
    expect(shelf(workspaces, one.store)).toMatchObject({ ready: 1 });
    await workspaces.create({ name: 'att_3', store: three.store, commit: three.base });
    await ready(workspaces, three.store, 2);
    expect(shelf(workspaces, one.store)?.ready).toBe(0);
    expect(shelf(workspaces, two.store)?.ready).toBe(1);
    const { bytes, disk } = workspaces.state().pool;
    expect(bytes).toBe(9 * 4096);
    expect(bytes).toBeLessThanOrEqual(disk);
    await workspaces.create({ name: 'att_4', store: one.store, commit: one.base });
    await ready(workspaces, one.store, 2);
    expect(shelf(workspaces, two.store)?.ready).toBe(0);
    expect(shelf(workspaces, three.store)?.ready).toBe(1);
  });

  it('holds nothing of a repository that is larger than the budget, and says so', async () => {
    const { repo, store, base } = await repository();
    const { workspaces } = opened(repo.folder, { disk: 4096 });
    await workspaces.create({ name: 'att_1', store, commit: base });
    const until = systemClock.monotonic() + 5000;
    while (shelf(workspaces, store)?.held_back !== 'budget' && systemClock.monotonic() < until) await systemClock.sleep(20);
    expect(shelf(workspaces, store)).toMatchObject({ ready: 0, bytes: 0, held_back: 'budget' });
  });

  it('gives up what a removed instance has, and everything when the owner halts', async () => {
    const [one, two] = [await repository(), await repository()];
    let halted = false;
    const { workspaces, root } = opened(one.repo.folder, { paused: () => halted });
    await workspaces.create({ name: 'att_1', store: one.store, commit: one.base });
    await ready(workspaces, one.store, 2);
    await workspaces.create({ name: 'att_2', store: two.store, commit: two.base });
    await ready(workspaces, two.store, 2);
    workspaces.discard(one.store.folder);
    expect(shelf(workspaces, one.store)).toBeUndefined();
    await ready(workspaces, two.store, 2);
    halted = true;
    await workspaces.create({ name: 'att_3', store: two.store, commit: two.base });
    workspaces.discard();
    await workspaces.close();
    expect(workspaces.state().pool).toMatchObject({ bytes: 0, stores: [] });
    expect(readdirSync(root)).toEqual([]);
  });

  it('clears up after an earlier process, and leaves nothing when it is closed in the middle of a fill', async () => {
    const { repo, store, base } = await repository();
    const { workspaces, root } = opened(repo.folder);
    mkdirSync(join(root, 'earlier', '0', 'files'), { recursive: true });
    writeFileSync(join(root, 'earlier', '0', 'files', 'a.txt'), 'torn');
    await workspaces.sweep(new Set());
    await workspaces.create({ name: 'att_1', store, commit: base });
    await ready(workspaces, store, 1);
    const started = systemClock.monotonic();
    await workspaces.close();
    expect(systemClock.monotonic() - started).toBeLessThan(5000);
    expect(readdirSync(root)).toEqual([]);
    expect(existsSync(join(repo.folder, 'work', 'att_1'))).toBe(true);
  });

  it.skipIf(!canMount)(
    `is given up before a full disk fails an attempt${canMount ? '' : ' (skipped: needs to mount a small file system)'}`,
    async () => {
      const { repo, store, next } = await repository();
      const small = join(repo.folder, 'small');
      mkdirSync(small);
      mountSmall(small);
      try {
        const large = await next('large.bin', 'x'.repeat(5 * 1024 * 1024));
        const { workspaces } = opened(small, { spare: 0 });
        await workspaces.release(await workspaces.create({ name: 'att_1', store, commit: large }));
        await ready(workspaces, store, 2);
        // Attributes differ, so that nothing of the pool can be moved; and without what is ready there is room for a whole one.
        await next('.gitattributes', '* text\n');
        const tip = await next('larger.bin', 'y'.repeat(4 * 1024 * 1024));
        writeFileSync(join(small, 'filler'), 'z'.repeat(2 * 1024 * 1024));
        const workspace = await workspaces.create({ name: 'att_2', store, commit: tip });
        expect(statSync(join(workspace.folder, 'larger.bin')).size).toBe(4 * 1024 * 1024);
        expect(workspaces.state().pool.bytes).toBe(0);
        await expect(workspaces.create({ name: 'att_3', store, commit: tip })).rejects.toMatchObject({ code: 'disk_full' });
        await workspaces.close();
      } finally {
        execFileSync('umount', ['-l', small]);
      }
    },
  );

  it('leaves room on the disk, and says why it holds nothing', async () => {
    const { repo, store, base } = await repository();
    const { workspaces } = opened(repo.folder, { spare: Number.MAX_SAFE_INTEGER });
    await workspaces.create({ name: 'att_1', store, commit: base });
    const until = systemClock.monotonic() + 5000;
    while (shelf(workspaces, store)?.held_back !== 'disk' && systemClock.monotonic() < until) await systemClock.sleep(20);
    expect(shelf(workspaces, store)).toMatchObject({ ready: 0, held_back: 'disk' });
  });

  it('is off with no folders', async () => {
    const { repo, store, base } = await repository();
    const { workspaces, root } = opened(repo.folder, { folders: 0 });
    await workspaces.create({ name: 'att_1', store, commit: base });
    await workspaces.close();
    expect(existsSync(root)).toBe(false);
    const cold = join(repo.folder, 'cold');
    mkdirSync(cold);
    await checkOut(store, base, cold, join(repo.folder, 'cold-index'));
    expect(readdirSync(cold).toSorted()).toEqual(['.gitignore', 'a.txt', 'dir']);
  });
});
