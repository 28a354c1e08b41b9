import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { settleIndex } from './checkout.ts';
import { createWorkspaces } from '../workspaces/workspaces.ts';
import { readDifference } from './difference.ts';
import { scratch, storeOf, type Scratch } from './scratch.fixture.ts';
import { takeSnapshot } from './snapshot.ts';

let repo: Scratch;
afterEach(() => repo?.remove());

const started = async (prepare: (repo: Scratch) => void = () => undefined) => {
  repo = scratch();
  repo.write('a.txt', 'a\n');
  repo.write('dir/b.txt', 'b\n');
  repo.write('run.sh', '#!/bin/sh\n');
  repo.write('.gitignore', 'ignored/\n*.log\n');
  prepare(repo);
  const base = repo.commit('first');
  const { store } = await storeOf(repo);
  const workspaces = createWorkspaces(join(repo.folder, 'work'));
  const workspace = await workspaces.create({ name: 'att_1', store, commit: base });
  const at = (name: string): string => join(workspace.folder, name);
  const snapshot = async () => {
    const { tree, findings } = await takeSnapshot(store, workspace.folder, workspace.index);
    const { entries } = await readDifference(store, base, tree);
    return { tree, findings, entries, changes: entries.map(({ status, path }) => `${status} ${path}`) };
  };
  return { base, store, at, snapshot, workspace, workspaces };
};

describe('a snapshot', () => {
  it.each(['older than', 'as old as'])(
    'of an untouched checkout is the base, whose content never fitted its attributes, %s its index',
    async (age) => {
      const { snapshot, at, workspace } = await started((user) => {
        user.write('crlf.txt', 'one\r\ntwo\r\n');
        user.write('ident.sh', '#!/bin/sh\n# $Id: of long ago $\n');
        user.write('changed.txt', 'one\r\n');
        user.commit('before there were attributes');
        user.write('.gitattributes', '*.txt text eol=crlf\n*.sh ident\n');
        // Else the git of the user may convert what it looks at again, and the base would fit.
        user.git('update-index', '--assume-unchanged', 'crlf.txt', 'ident.sh', 'changed.txt');
      });
      if (age === 'older than') await settleIndex(workspace.index, new AbortController().signal);
      expect((await snapshot()).changes).toEqual([]);
      expect((await snapshot()).changes).toEqual([]);
      chmodSync(at('crlf.txt'), 0o755);
      writeFileSync(at('changed.txt'), 'two\r\n');
      const { changes, entries } = await snapshot();
      expect(changes).toEqual(['modified changed.txt', 'modified crlf.txt']);
      expect(entries.find(({ path }) => path === 'crlf.txt')).toMatchObject({ added: 0, removed: 0, new_mode: '100755' });
    },
  );

  it('takes tracked and untracked files, modes, links and removals, and leaves ignored ones', async () => {
    const { at, snapshot } = await started();
    writeFileSync(at('a.txt'), 'A\n');
    writeFileSync(at('new ü.txt'), 'n\n');
    writeFileSync(Buffer.from(at('x\xff'), 'latin1'), 'bytes\n');
    chmodSync(at('run.sh'), 0o755);
    rmSync(at('dir'), { recursive: true });
    writeFileSync(at('dir'), 'a file where a folder was\n');
    mkdirSync(at('ignored/.git'), { recursive: true });
    writeFileSync(at('noise.log'), 'x');
    symlinkSync('a.txt', at('link'));
    symlinkSync('/etc', at('etc'));
    const { changes, findings, entries } = await snapshot();
    expect(findings).toEqual([]);
    expect(changes).toEqual([
      'modified a.txt',
      'added dir',
      'deleted dir/b.txt',
      'added etc',
      'added link',
      'added new ü.txt',
      'modified run.sh',
      'added x\\xff',
    ]);
    expect(entries.find(({ path }) => path === 'etc')?.link_target).toBe('/etc');
  });

  it('replaces a folder by a link without following it', async () => {
    const { at, snapshot } = await started();
    rmSync(at('dir'), { recursive: true });
    symlinkSync('/etc', at('dir'));
    expect((await snapshot()).changes).toEqual(['added dir', 'deleted dir/b.txt']);
  });

  it('finds what may not be read, before it reads: FIFO, device, sparse file, nested repository, names that mean .git', async () => {
    const { at, snapshot } = await started();
    execFileSync('mkfifo', [at('pipe')]);
    rmSync(at('a.txt'));
    execFileSync('mkfifo', [at('a.txt')]);
    const device = process.getuid?.() === 0;
    if (device) execFileSync('mknod', [at('null'), 'c', '1', '3']);
    else process.stderr.write('skipped: a device file can be made by root only\n');
    writeFileSync(at('sparse'), '');
    truncateSync(at('sparse'), 2 ** 40);
    mkdirSync(at('nested/.git'), { recursive: true });
    writeFileSync(at('nested/file'), 'unseen');
    mkdirSync(at('dir/.GIT'));
    writeFileSync(at('good.txt'), 'kept\n');
    const from = performance.now();
    const { findings, changes } = await snapshot();
    expect(performance.now() - from).toBeLessThan(5_000);
    const found = findings.map(({ rule, path }) => `${rule} ${path}`).sort();
    expect(found).toEqual(
      [
        'dot_git dir/.GIT',
        'file_too_large sparse',
        'nested_repository nested',
        'special_file a.txt',
        ...(device ? ['special_file null'] : []),
        'special_file pipe',
      ].sort(),
    );
    expect(changes).toEqual(['added good.txt']);
  });

  it('shows source that an attributes file calls binary, and runs no filter of any kind', async () => {
    const { at, snapshot, store, base } = await started();
    writeFileSync(at('.gitattributes'), '*.txt -diff binary\n*.sh filter=evil merge=evil diff=evil working-tree-encoding=UTF-16\n');
    writeFileSync(at('a.txt'), 'visible\n');
    writeFileSync(at('run.sh'), '#!/bin/sh\n# changed $Id$\n');
    const { tree, entries } = await snapshot();
    expect(entries.every(({ added }) => added !== null)).toBe(true);
    let text = '';
    await readDifference(store, base, tree, (chunk) => void (text += chunk.toString()));
    expect(text).toContain('+visible');
    expect(text).toContain('+# changed $Id$');
    expect(text).not.toContain('Binary');
  });

  it('keeps a submodule that was there, and sees names that collide', async () => {
    const { at, snapshot, store, base } = await started((user) => {
      user.git('update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},module`);
      user.git('commit', '-qm', 'module');
    });
    expect((await snapshot()).changes).toEqual([]);
    writeFileSync(at('A.TXT'), 'x');
    mkdirSync(at('Dir'));
    writeFileSync(at('Dir/c.txt'), 'x');
    const { tree } = await snapshot();
    const { collisions } = await readDifference(store, base, tree);
    expect(collisions).toEqual([
      { path: 'A.TXT', with: 'a.txt' },
      { path: 'Dir/c.txt', with: 'dir' },
    ]);
  });
});
