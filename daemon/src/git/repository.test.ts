import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { inspectRepository } from './repository.ts';
import { scratch, storeOf, type Scratch } from './scratch.fixture.ts';
import { createStore, openStore, removeStore, syncStore } from './store.ts';
import { isReachable } from './reachable.ts';

let repo: Scratch;
afterEach(() => repo?.remove());

const MAIN = 'refs/heads/main';

describe('looking at a repository', () => {
  it('tells kind, head, branches and dirtiness, under a path with spaces and unicode', async () => {
    repo = scratch({ name: 'mit Leer ü' });
    repo.write('a.txt', 'a\n');
    const first = repo.commit('first');
    repo.git('branch', 'zwei');
    repo.git('remote', 'add', 'origin', 'https://user:secret@example.org/x.git');
    repo.git('update-ref', 'refs/remotes/origin/zwei', first);
    repo.git('symbolic-ref', 'refs/remotes/origin/HEAD', 'refs/remotes/origin/zwei');
    repo.git('symbolic-ref', 'refs/heads/alias', MAIN);
    mkdirSync(join(repo.path, 'sub'));
    const facts = await inspectRepository(join(repo.path, 'sub'));
    expect(facts).toMatchObject({
      bare: false,
      shallow: false,
      detached: false,
      dirty: false,
      head_ref: MAIN,
      head_commit: first,
      default_branch: 'refs/heads/zwei',
      object_format: 'sha1',
      work_tree: repo.path,
    });
    expect(facts.branches.map(({ ref }) => ref)).toEqual([MAIN, 'refs/heads/zwei']);
    expect(facts.origin_url).toContain('example.org');
    repo.write('untracked', 'x');
    expect((await inspectRepository(repo.path)).dirty).toBe(false);
    repo.write('a.txt', 'b\n');
    expect((await inspectRepository(repo.path)).dirty).toBe(true);
    repo.git('checkout', '-q', '--detach');
    expect(await inspectRepository(repo.path)).toMatchObject({ detached: true, head_ref: null });
  });

  it('refuses what is none, is empty, or needs what is unsupported', async () => {
    repo = scratch();
    await expect(inspectRepository(repo.path)).rejects.toMatchObject({ code: 'repository_empty' });
    await expect(inspectRepository(join(repo.folder, 'none'))).rejects.toMatchObject({ code: 'repository_invalid' });
    await expect(inspectRepository(repo.folder)).rejects.toMatchObject({ code: 'repository_invalid' });
    await expect(inspectRepository('/etc/passwd')).rejects.toMatchObject({ code: 'repository_invalid' });
    repo.write('a.txt', 'a\n');
    repo.commit('first');
    await expect(inspectRepository(join(repo.path, '.git'))).rejects.toMatchObject({ code: 'repository_invalid' });
    repo.git('config', 'remote.origin.promisor', 'true');
    await expect(inspectRepository(repo.path)).rejects.toMatchObject({ code: 'repository_unsupported' });
    repo.git('config', '--unset', 'remote.origin.promisor');
    repo.write('deep/.gitattributes', '# filter=no\n*.png filter=lfs diff=lfs merge=lfs -text\n');
    repo.git('-c', 'filter.lfs.required=false', 'add', '-A');
    repo.git('commit', '-qm', 'lfs');
    await expect(inspectRepository(repo.path)).rejects.toThrow('deep/.gitattributes sets the attribute filter=lfs (Git LFS)');
  });
});

describe('a store', () => {
  it('stands alone, and follows the branches that it was given', async () => {
    repo = scratch();
    repo.write('a.txt', 'a\n');
    const first = repo.commit('first');
    repo.git('checkout', '-q', '-b', 'private');
    repo.write('secret.txt', 's\n');
    const secret = repo.commit('private work');
    repo.git('checkout', '-q', 'main');
    const { store, facts } = await storeOf(repo);
    expect(readdirSync(store.folder)).not.toContain('hooks');
    expect(statSync(store.folder).mode & 0o77).toBe(0);
    expect(await isReachable(store, secret, [first])).toBe(false);
    await expect(createStore(store.folder, facts, [MAIN])).rejects.toThrow();
    repo.git('branch', 'a', 'main');
    await syncStore(store, facts, [MAIN, 'refs/heads/a']);
    repo.git('branch', '-D', 'a');
    repo.git('branch', 'a/b', 'private');
    await syncStore(store, facts, [MAIN, 'refs/heads/a/b']);
    repo.git('commit', '-q', '--amend', '--allow-empty', '-m', 'rewritten');
    repo.git('reflog', 'expire', '--expire=now', '--all');
    repo.git('gc', '-q', '--prune=now');
    const again = await openStore(store.folder);
    expect([...again.known].sort()).toEqual([first, secret].sort());
    const tips = await syncStore(again, facts, [MAIN, 'refs/heads/a/b']);
    expect(tips.get(MAIN)).toBe(repo.git('rev-parse', 'main'));
    expect(await isReachable(again, first, [first])).toBe(true);
    await removeStore(store.folder);
    await expect(openStore(store.folder)).rejects.toMatchObject({ code: 'store_unwritable' });
  });

  it('is made from shallow, bare and linked repositories and from borrowed objects', async () => {
    repo = scratch();
    for (const word of ['one', 'two', 'three']) {
      repo.write('a.txt', word);
      repo.commit(word);
    }
    const tip = repo.git('rev-parse', 'HEAD');
    const clones: string[][] = [['--depth', '2'], ['--bare'], ['--shared']];
    for (const [at, how] of clones.entries()) {
      const path = join(repo.folder, `clone-${at}`);
      repo.git('clone', '-q', ...how, `file://${repo.path}`, path);
      const facts = await inspectRepository(path);
      expect(facts.shallow).toBe(at === 0);
      const store = await createStore(join(repo.folder, `store-${at}.git`), facts, [MAIN]);
      expect(await isReachable(store, tip, [tip])).toBe(true);
      expect(repo.git('-C', store.folder, 'rev-list', '--count', tip)).toBe(at === 0 ? '2' : '3');
    }
    const shallow = join(repo.folder, 'clone-0');
    const store = await openStore(join(repo.folder, 'store-0.git'));
    repo.git('-C', shallow, 'commit', '-q', '--allow-empty', '-m', 'more');
    expect((await syncStore(store, await inspectRepository(shallow), [MAIN])).size).toBe(1);
  });

  it('does not take an object whose content is not what its name says', async () => {
    repo = scratch();
    repo.write('a.txt', 'honest\n');
    repo.commit('first');
    const id = repo.git('rev-parse', 'HEAD:a.txt');
    repo.write('evil.txt', 'evil\n');
    const evil = repo.git('hash-object', '-w', 'evil.txt');
    const place = (name: string): string => join(repo.path, '.git', 'objects', name.slice(0, 2), name.slice(2));
    const bytes = readFileSync(place(evil));
    repo.git('config', 'core.sharedRepository', '0644');
    const { chmodSync } = await import('node:fs');
    chmodSync(place(id), 0o644);
    writeFileSync(place(id), bytes);
    await expect(storeOf(repo)).rejects.toMatchObject({ code: 'repository_invalid' });
  });
});
