import { existsSync, mkdirSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { applyPatch } from './apply-patch.ts';
import { makeCommit } from './commit.ts';
import { readDifference } from './difference.ts';
import { moveRef, settleLanding, transferObjects } from './integrate.ts';
import { replayChange } from './replay.ts';
import { inspectRepository } from './repository.ts';
import { scratch, storeOf, type Scratch } from './scratch.fixture.ts';
import { openStore, syncStore } from './store.ts';
import { lockCheckout } from './work-tree.ts';

let repo: Scratch;
afterEach(() => repo?.remove());

const MAIN = 'refs/heads/main';
const patch = (from: string, to: string) => Buffer.from(`--- a/a.txt\n+++ b/a.txt\n@@ -1,5 +1,5 @@\n-${from}\n+${to}\n 2\n 3\n 4\n 5\n`);

/** A store with a landing commit that changes the first line of a.txt. */
const prepared = async () => {
  repo = scratch();
  repo.write('a.txt', '1\n2\n3\n4\n5\n');
  repo.write('b.txt', 'b\n');
  const base = repo.commit('first');
  const { store, facts } = await storeOf(repo);
  const tree = await applyPatch(store, base, patch('1', 'one'));
  const to = await makeCommit(store, {
    tree,
    parents: [base],
    title: 'Change',
    trailers: [['Fairlead-Step', 'step_1']],
    at: 1_700_000_000_000,
  });
  return { base, store, facts, tree, to, landing: { ref: MAIN, from: base, to, token: 'chg_1' } };
};

describe('a replay', () => {
  it('gives the tree of the snapshot on an unmoved target, and merges on a moved one', async () => {
    const { base, store, facts, tree, to } = await prepared();
    expect(await replayChange(store, { base, snapshot: to, onto: base })).toEqual({ outcome: 'clean', tree });
    repo.write('a.txt', '1\n2\n3\n4\nfive\n');
    const onto = repo.commit('second');
    await syncStore(store, facts, [MAIN]);
    const replay = await replayChange(store, { base, snapshot: to, onto });
    expect(replay.outcome).toBe('clean');
    const landed = await makeCommit(store, {
      tree: replay.outcome === 'clean' ? replay.tree : '',
      parents: [onto],
      title: 'x',
      trailers: [],
      at: 0,
    });
    const landing = { ref: MAIN, from: onto, to: landed, token: 'chg_1' };
    await transferObjects(store, facts, landing);
    expect(await moveRef(store, facts, landing)).toEqual({ moved: true });
    expect(readFileSync(join(repo.path, 'a.txt'), 'utf8')).toBe('one\n2\n3\n4\nfive\n');
  });

  it('keeps the texts that it merges in the store, and the next opening removes what a kill left of them', async () => {
    const { base, store, facts, to } = await prepared();
    repo.write('a.txt', '1\n2\n3\n4\nfive\n');
    const onto = repo.commit('second');
    await syncStore(store, facts, [MAIN]);
    const seen = new Set<string>();
    const watching = watch(join(store.folder, 'indexes'), (_event, name) => void seen.add(name ?? ''));
    expect(await replayChange(store, { base, snapshot: to, onto })).toMatchObject({ outcome: 'clean' });
    watching.close();
    expect([...seen].some((name) => name.endsWith('.merge'))).toBe(true);
    const left = join(store.folder, 'indexes', 'use-left.merge');
    mkdirSync(left);
    writeFileSync(join(left, 'ours'), 'of the owner\n');
    await openStore(store.folder);
    expect(existsSync(left)).toBe(false);
  });

  it('names the conflict', async () => {
    const { base, store, facts, to } = await prepared();
    repo.write('a.txt', 'uno\n2\n3\n4\n5\n');
    const onto = repo.commit('second');
    await syncStore(store, facts, [MAIN]);
    const replay = await replayChange(store, { base, snapshot: to, onto });
    expect(replay).toMatchObject({ outcome: 'conflict', paths: ['a.txt'] });
    expect(replay.outcome === 'conflict' && replay.message).toContain('edit the same place');
  });

  it('merges modes, additions and removals, and refuses what is no text', async () => {
    const { base, store, facts } = await prepared();
    const change = Buffer.from(
      'diff --git a/b.txt b/b.txt\nold mode 100644\nnew mode 100755\ndiff --git a/n\u00fc.txt b/n\u00fc.txt\nnew file mode 100644\n--- /dev/null\n+++ b/n\u00fc.txt\n@@ -0,0 +1 @@\n+x\n',
    );
    const snapshot = await makeCommit(store, {
      tree: await applyPatch(store, base, change),
      parents: [base],
      title: 'x',
      trailers: [],
      at: 0,
    });
    repo.write('b.txt', 'edited\n');
    repo.git('rm', '-q', 'a.txt');
    repo.write('c/d.txt', 'd\n');
    const onto = repo.commit('second');
    await syncStore(store, facts, [MAIN]);
    const replay = await replayChange(store, { base, snapshot, onto });
    const { entries } = await readDifference(store, onto, replay.outcome === 'clean' ? replay.tree : '');
    expect(entries).toMatchObject([
      { path: 'b.txt', old_mode: '100644', new_mode: '100755' },
      { path: 'n\u00fc.txt', status: 'added' },
    ]);
    expect(entries[0]!.old_id).toBe(entries[0]!.new_id);
    repo.git('rm', '-q', 'b.txt');
    repo.git('update-index', '--add', '--cacheinfo', `120000,${repo.git('hash-object', '-w', 'c/d.txt')},b.txt`);
    repo.git('commit', '-qm', 'a link');
    await syncStore(store, facts, [MAIN]);
    expect(await replayChange(store, { base, snapshot, onto: repo.git('rev-parse', 'HEAD') })).toMatchObject({
      outcome: 'conflict',
      paths: ['b.txt'],
    });
  });

  it('does not follow a rename to another name', async () => {
    const { base, store, facts, to } = await prepared();
    repo.git('mv', 'a.txt', 'protected.txt');
    const onto = repo.commit('second');
    await syncStore(store, facts, [MAIN]);
    expect(await replayChange(store, { base, snapshot: to, onto })).toMatchObject({ outcome: 'conflict', paths: ['a.txt'] });
  });

  it('takes exactly the base for the base, also when the target was rewritten', async () => {
    const { base, store, facts, to } = await prepared();
    repo.git('checkout', '-q', '--orphan', 'fresh');
    repo.write('c.txt', 'c\n');
    repo.commit('orphan');
    repo.git('branch', '-f', 'main', 'fresh');
    const onto = repo.git('rev-parse', 'main');
    await syncStore(store, facts, [MAIN]);
    expect(await replayChange(store, { base, snapshot: to, onto })).toMatchObject({ outcome: 'clean' });
  });
});

describe('moving the target', () => {
  it('takes a clean checkout along and leaves it clean', async () => {
    const { base, store, facts, landing, to } = await prepared();
    repo.write('untracked.txt', 'mine');
    await transferObjects(store, facts, landing);
    await transferObjects(store, facts, landing);
    expect(await moveRef(store, facts, landing)).toEqual({ moved: true });
    expect(repo.git('rev-parse', 'HEAD')).toBe(to);
    expect(repo.git('status', '--porcelain')).toBe('?? untracked.txt');
    expect(readFileSync(join(repo.path, 'a.txt'), 'utf8')).toBe('one\n2\n3\n4\n5\n');
    expect(repo.git('log', '-1', '--format=%an %s|%(trailers:key=Fairlead-Step,valueonly)').trim()).toBe('Fairlead Change|step_1');
    expect(repo.git('reflog', '-1', '--format=%gs')).toBe('fairlead: integrate chg_1');
    expect(repo.git('fsck', '--strict')).toBe('');
    expect(await moveRef(store, facts, landing)).toEqual({ moved: false });
    expect(await settleLanding(store, facts, landing)).toEqual({ found: 'applied' });
    expect((await syncStore(store, facts, [MAIN])).get(MAIN)).toBe(to);
    expect(base).not.toBe(to);
  });

  it('refuses a dirty checkout, a file in the way and a held lock, and moves nothing', async () => {
    const { base, store, facts, landing } = await prepared();
    await transferObjects(store, facts, landing);
    for (const content of ['1\n2\n3\n4\nmine\n', '1\n2\n3\n4\n5\n']) {
      repo.write('a.txt', content);
      if (content.includes('mine')) {
        await expect(moveRef(store, facts, landing)).rejects.toMatchObject({ code: 'target_dirty' });
        repo.git('add', 'a.txt');
        await expect(moveRef(store, facts, landing)).rejects.toMatchObject({ code: 'target_dirty' });
        repo.git('reset', '-q');
      }
    }
    const tree = await applyPatch(store, base, Buffer.from('--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1 @@\n+theirs\n'));
    const added = { ...landing, to: await makeCommit(store, { tree, parents: [base], title: 'x', trailers: [], at: 0 }) };
    repo.write('new.txt', 'mine');
    await transferObjects(store, facts, added);
    await expect(moveRef(store, facts, added)).rejects.toMatchObject({ code: 'target_dirty' });
    rmSync(join(repo.path, 'new.txt'));
    writeFileSync(join(repo.path, '.git', 'index.lock'), '');
    await expect(moveRef(store, facts, landing)).rejects.toMatchObject({ code: 'target_moved' });
    rmSync(join(repo.path, '.git', 'index.lock'));
    expect(repo.git('rev-parse', 'main')).toBe(base);
    expect(repo.git('status', '--porcelain')).toBe('');
    expect(await settleLanding(store, facts, landing)).toEqual({ found: 'not_applied' });
  });

  it('does not lose a commit that a person made first', async () => {
    const { store, facts, landing } = await prepared();
    repo.write('b.txt', 'person\n');
    const person = repo.commit('by a person');
    await transferObjects(store, facts, landing);
    expect(await moveRef(store, facts, landing)).toEqual({ moved: false });
    expect(repo.git('rev-parse', 'main')).toBe(person);
    expect(await settleLanding(store, facts, landing)).toEqual({ found: 'elsewhere' });
  });

  it('moves a branch that is not checked out without touching the work tree, and one in a linked work tree with it', async () => {
    const { store, facts, landing, to } = await prepared();
    repo.git('checkout', '-q', '-b', 'other');
    const linked = join(repo.folder, 'linked tree');
    repo.git('worktree', 'add', '-q', linked, 'main');
    repo.write('a.txt', 'dirty in other\n');
    await transferObjects(store, facts, landing);
    expect(await moveRef(store, facts, landing)).toEqual({ moved: true });
    expect(readFileSync(join(linked, 'a.txt'), 'utf8')).toContain('one');
    expect(readFileSync(join(repo.path, 'a.txt'), 'utf8')).toBe('dirty in other\n');
    expect(repo.git('-C', linked, 'status', '--porcelain')).toBe('');
    expect(repo.git('rev-parse', 'main')).toBe(to);
    expect(await inspectRepository(linked)).toMatchObject({ head_ref: MAIN, work_tree: linked });
  });

  it('moves a bare repository, a deep ref and a detached checkout', async () => {
    const { store, facts, landing, to, base } = await prepared();
    repo.git('checkout', '-q', '--detach');
    await transferObjects(store, facts, landing);
    expect(await moveRef(store, facts, landing)).toEqual({ moved: true });
    expect(repo.git('rev-parse', 'HEAD')).toBe(base);
    const bare = join(repo.folder, 'bare.git');
    repo.git('clone', '-q', '--bare', repo.path, bare);
    repo.git('-C', bare, 'update-ref', 'refs/heads/deep/er', base);
    const place = await inspectRepository(bare);
    expect(place).toMatchObject({ bare: true, work_tree: null, default_branch: 'refs/heads/deep/er' });
    expect(await moveRef(store, place, { ...landing, ref: 'refs/heads/deep/er' })).toEqual({ moved: true });
    expect(repo.git('-C', bare, 'rev-parse', 'deep/er')).toBe(to);
  });

  it('is finished after a crash between the ref and the work tree', async () => {
    const { store, facts, landing, to } = await prepared();
    await transferObjects(store, facts, landing);
    const lock = await lockCheckout({ git_dir: facts.git_dir, work_tree: facts.work_tree! }, landing);
    repo.git('update-ref', MAIN, to);
    expect(lock.copy).toContain('chg_1');
    expect(await settleLanding(store, facts, landing)).toEqual({ found: 'applied' });
    expect(repo.git('status', '--porcelain')).toBe('');
    expect(readFileSync(join(repo.path, 'a.txt'), 'utf8')).toContain('one');
    await lockCheckout({ git_dir: facts.git_dir, work_tree: facts.work_tree! }, { ...landing, token: 'chg_2' });
    expect(await settleLanding(store, facts, landing)).toEqual({ found: 'applied' });
    expect(readFileSync(join(repo.path, '.git', 'index.lock'), 'utf8')).toBe('fairlead chg_2\n');
  });

  it('is applied after a crash even when the work tree cannot go along, which is told beside it', async () => {
    const { store, facts, landing, to } = await prepared();
    await transferObjects(store, facts, landing);
    await lockCheckout({ git_dir: facts.git_dir, work_tree: facts.work_tree! }, landing);
    repo.git('update-ref', MAIN, to);
    repo.write('a.txt', 'of a person\n');
    expect(await settleLanding(store, facts, landing)).toEqual({
      found: 'applied',
      left_behind: expect.stringContaining('could not go along'),
    });
    expect(readFileSync(join(repo.path, 'a.txt'), 'utf8')).toBe('of a person\n');
    expect(existsSync(join(repo.path, '.git', 'index.lock'))).toBe(false);
  });

  it('works under a path with spaces and unicode, and with sparse checkouts', async () => {
    repo = scratch({ name: 'mit Leer und ü' });
    repo.write('a.txt', '1\n2\n3\n4\n5\n');
    mkdirSync(join(repo.path, 'out'));
    repo.write('out/side.txt', 'x\n');
    const base = repo.commit('first');
    repo.git('sparse-checkout', 'set', '--cone', 'in');
    const { store, facts } = await storeOf(repo);
    const tree = await applyPatch(store, base, patch('1', 'one'));
    const to = await makeCommit(store, { tree, parents: [base], title: 'x', trailers: [], at: 0 });
    const landing = { ref: MAIN, from: base, to, token: 'chg_1' };
    await transferObjects(store, facts, landing);
    expect(await moveRef(store, facts, landing)).toEqual({ moved: true });
    expect(repo.git('status', '--porcelain')).toBe('');
    expect(readFileSync(join(repo.path, 'a.txt'), 'utf8')).toContain('one');
  });
});
