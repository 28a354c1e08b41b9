import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { createWorkspaces } from '../workspaces/workspaces.ts';
import { applyPatch } from './apply-patch.ts';
import { makeCommit } from './commit.ts';
import { readDifference } from './difference.ts';
import { moveRef, settleLanding, transferObjects } from './integrate.ts';
import { replayChange } from './replay.ts';
import { inspectRepository } from './repository.ts';
import { scratch, storeOf, type Scratch } from './scratch.fixture.ts';
import { takeSnapshot } from './snapshot.ts';
import { syncStore } from './store.ts';
import { fingerprint, plant } from './traps.fixture.ts';

/** Attack 2: everything by which a repository can make git run programs, planted, and then a whole step through integration. */

let repo: Scratch;
afterEach(() => repo?.remove());

const MAIN = 'refs/heads/main';
it('runs nothing of a repository with every trap set, and changes only the target and new objects', async () => {
  repo = scratch();
  const marker = join(repo.folder, 'marker');
  repo.write('a.txt', '1\n2\n3\n');
  repo.write('b.txt', 'b\n');
  const base = repo.commit('first');
  const { store, facts } = await storeOf(repo);
  repo.write('a.txt', '1\n2\nthree\n');
  const second = repo.commit('second');
  repo.git('checkout', '-q', '-b', 'elsewhere');
  plant(repo, marker);
  // The attributes lie in the tree's folder and in info, where git looks for them; a replace ref hides the base.
  writeFileSync(join(repo.path, '.gitattributes'), '* filter=evil diff=evil merge=evil\n');
  writeFileSync(join(repo.path, '.git', 'info', 'attributes'), '* filter=evil diff=evil merge=evil\n');
  writeFileSync(join(repo.path, '.git', 'refs', 'replace-me'), '');
  mkdirSync(join(repo.path, '.git', 'refs', 'replace'), { recursive: true });
  writeFileSync(join(repo.path, '.git', 'refs', 'replace', second), `${base}\n`);
  const mayChange = (path: string): boolean =>
    path.startsWith('objects') || path === join('refs', 'heads', 'main') || path === join('logs', 'refs', 'heads', 'main');
  const before = fingerprint(join(repo.path, '.git'), mayChange);

  const tip = (await syncStore(store, facts, [MAIN])).get(MAIN)!;
  expect(tip).toBe(second);
  const patch =
    '--- a/b.txt\n+++ b/b.txt\n@@ -1 +1 @@\n-b\n+B\n--- /dev/null\n+++ b/.husky/post-index-change\n@@ -0,0 +1,2 @@\n+#!/bin/sh\n+touch evil\n';
  const tree = await applyPatch(store, base, Buffer.from(patch));
  const snapshot = await makeCommit(store, { tree, parents: [base], title: 'x', trailers: [], at: 0 });
  await readDifference(store, base, snapshot, () => undefined);
  const replay = await replayChange(store, { base, snapshot, onto: tip });
  const to = await makeCommit(store, {
    tree: replay.outcome === 'clean' ? replay.tree : '',
    parents: [tip],
    title: 'x',
    trailers: [],
    at: 0,
  });
  const landing = { ref: MAIN, from: tip, to, token: 'chg_1' };
  await transferObjects(store, facts, landing);
  expect(await moveRef(store, facts, landing)).toEqual({ moved: true });
  expect(await settleLanding(store, facts, landing)).toEqual({ found: 'applied' });
  expect(existsSync(marker) && readFileSync(marker, 'utf8')).toBe(false);
  expect(fingerprint(join(repo.path, '.git'), mayChange)).toEqual(before);
  // The traps are real: a plain git walks into them.
  try {
    repo.git('status');
  } catch {
    // One of the traps may make it fail.
  }
  expect(existsSync(marker)).toBe(true);
});

it('runs nothing when a checked-out target goes along', async () => {
  repo = scratch();
  const marker = join(repo.folder, 'marker');
  repo.write('a.txt', '1\n');
  const base = repo.commit('first');
  const { store, facts } = await storeOf(repo);
  plant(repo, marker);
  writeFileSync(join(repo.path, '.git', 'info', 'attributes'), '* filter=evil diff=evil merge=evil\n');
  const tree = await applyPatch(store, base, Buffer.from('--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-1\n+one\n'));
  const to = await makeCommit(store, { tree, parents: [base], title: 'x', trailers: [], at: 0 });
  const landing = { ref: MAIN, from: base, to, token: 'chg_1' };
  // Touched, so that git has to look at the content.
  writeFileSync(join(repo.path, 'a.txt'), '1\n');
  await transferObjects(store, facts, landing);
  expect(await moveRef(store, facts, landing)).toEqual({ moved: true });
  expect(readFileSync(join(repo.path, 'a.txt'), 'utf8')).toBe('one\n');
  await expect(inspectRepository(repo.path)).rejects.toMatchObject({ code: 'repository_unsupported' });
  expect(existsSync(marker) && readFileSync(marker, 'utf8')).toBe(false);
});

it('never reads the .git of a workspace, whatever was put there', async () => {
  repo = scratch();
  const marker = join(repo.folder, 'marker');
  repo.write('a.txt', '1\n');
  const base = repo.commit('first');
  const { store } = await storeOf(repo);
  plant(repo, marker);
  const workspaces = createWorkspaces(join(repo.folder, 'work'));
  for (const kind of ['file', 'folder'] as const) {
    const workspace = await workspaces.create({ name: `att_${kind}`, store, commit: base });
    const place = join(workspace.folder, '.git');
    if (kind === 'file') writeFileSync(place, `gitdir: ${repo.path}/.git\n`);
    else {
      mkdirSync(join(place, 'objects'), { recursive: true });
      mkdirSync(join(place, 'refs'));
      writeFileSync(join(place, 'HEAD'), 'ref: refs/heads/main\n');
      writeFileSync(join(place, 'config'), readFileSync(join(repo.path, '.git', 'config')));
    }
    writeFileSync(join(workspace.folder, '.gitattributes'), '* filter=evil diff=evil merge=evil\n');
    writeFileSync(join(workspace.folder, 'a.txt'), 'changed\n');
    const { tree, findings } = await takeSnapshot(store, workspace.folder, workspace.index);
    const { entries } = await readDifference(store, base, tree, () => undefined);
    expect([findings, entries.map(({ path }) => path)]).toEqual([[], ['.gitattributes', 'a.txt']]);
    await workspaces.release(workspace);
    expect(existsSync(workspace.folder)).toBe(false);
  }
  expect(existsSync(marker) && readFileSync(marker, 'utf8')).toBe(false);
});
