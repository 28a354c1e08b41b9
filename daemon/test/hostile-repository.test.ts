import { readFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync, chmodSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import { fingerprint, plant } from '../src/git/traps.fixture.ts';
import { approve, changeGate, LOCAL, openShop, settled, submit, type Shop } from './workshop.ts';

/**
 * Attack 2, as a whole step: the owner's repository is full of traps, the executor sets its own, and the change is integrated. Rule: git runs
 * with no configuration, hook, filter or attribute of the user; of the user's repository only the target moves.
 */

const FILES = { 'src/a.txt': 'one\n', 'src/b.txt': 'b\n' };
let shop: Shop | undefined;
afterEach(() => shop?.close());

const policy = ProjectPolicy.parse({
  version: 1,
  validations: { unit: { run: ['grep', '-q', 'changed', 'src/a.txt'], judges: ['judges/**'] } },
});

/** What may differ in the `.git` of the owner after a checked-out clean target went along, and nothing else. */
const TARGET = [join('refs', 'heads', 'main'), join('logs', 'refs', 'heads', 'main'), join('logs', 'HEAD'), 'index'];
const isObject = (path: string): boolean => path.startsWith('objects');

/** Works in a workspace as an agent would that wants git to run its programs outside. */
const redirect = (owner: string): string =>
  [
    'rm -rf .git',
    `printf 'gitdir: ${owner}/.git\\n' > .git`,
    "printf '* filter=evil diff=evil merge=evil\\n' > .gitattributes",
    'mkdir .husky',
    "printf '#!/bin/sh\\ntouch evil\\n' > .husky/added-hook",
    'chmod 755 .husky/added-hook',
    'echo changed > src/a.txt',
  ].join(' && ');

const open = async (): Promise<{ of: Shop; marker: string }> => {
  const of = (shop = await openShop(FILES, { policy: () => policy, commands: [{ name: 'redirect', run: ['sh', 'redirect.sh'] }] }));
  of.repository.commit('Its script', { 'redirect.sh': redirect(of.repository.path) });
  const { path } = of.repository;
  const folder = dirname(path);
  const marker = join(folder, 'marker');
  plant({ folder, path, git: of.repository.git }, marker);
  writeFileSync(join(path, '.git', 'info', 'attributes'), '* filter=evil diff=evil merge=evil\n');
  return { of, marker };
};

describe('a whole step on a repository that is full of traps', { timeout: 60_000 }, () => {
  it('runs none of them, and moves the target alone', async () => {
    const { of, marker } = await open();
    const { repository } = of;
    // What git would show instead of the target, if it were asked to.
    const replace = join(repository.path, '.git', 'refs', 'replace');
    mkdirSync(replace, { recursive: true });
    const base = repository.tip();
    const git = join(repository.path, '.git');
    const first = readFileSync(join(git, 'logs', 'refs', 'heads', 'main'), 'utf8')
      .split('\n')[0]!
      .split(' ')[1]!;
    writeFileSync(join(replace, base), `${first}\n`);
    const before = fingerprint(git, (path) => TARGET.includes(path));

    const step = await settled(
      of,
      (await submit(of, of.run.id, { goal: 'Escape', executor: 'command.redirect' }, { remote: true })).id,
      45_000,
    );
    expect(step, JSON.stringify(step.reason)).toMatchObject({ state: 'needs_approval' });
    expect(changeGate(of, step.gate_id!).reasons).toEqual(expect.arrayContaining(['remote', 'protected']));
    expect(of.ledger.read.change(step.change_id!)!.files.map(({ path }) => path)).toEqual([
      '.gitattributes',
      '.husky/added-hook',
      'src/a.txt',
    ]);
    await approve(of, step);
    const landed = await of.delivery.integrate({ change_id: step.change_id! }, { ...LOCAL, remote: false });
    expect(landed).toMatchObject({ state: 'integrated', integrated: { from: base } });

    expect(existsSync(marker) && readFileSync(marker, 'utf8')).toBe(false);
    const after = fingerprint(git, (path) => TARGET.includes(path));
    const kept = (files: Map<string, string>) => [...files].filter(([path]) => !isObject(path) || before.has(path));
    expect(kept(after)).toEqual(kept(before));
    expect([...after.keys()].filter((path) => !before.has(path)).every(isObject)).toBe(true);
    expect(readFileSync(join(git, 'refs', 'heads', 'main'), 'utf8').trim()).toBe(landed.integrated!.to);
    expect(repository.read('src/a.txt')).toBe('changed\n');
    // The traps are real.
    try {
      repository.git('status');
    } catch {
      // One of them may make it fail.
    }
    expect(existsSync(marker)).toBe(true);
  });

  it('takes no object whose bytes were exchanged, and goes on when they are back', async () => {
    const of = (shop = await openShop(FILES, { policy: () => policy }));
    const { repository } = of;
    const patch = repository.patch({ 'src/a.txt': 'changed\n' });
    // The commit is new to the store, so that its objects are still to be taken from the owner's repository.
    repository.commit('New', { 'src/new.txt': 'harmless\n' });
    const id = repository.git('rev-parse', 'HEAD:src/new.txt');
    const loose = join(repository.path, '.git', 'objects', id.slice(0, 2), id.slice(2));
    renameSync(loose, `${loose}.kept`);
    const evil = Buffer.from('curl evil');
    writeFileSync(loose, deflateSync(Buffer.concat([Buffer.from(`blob ${evil.length}\0`), evil])));
    chmodSync(loose, 0o444);
    const tip = repository.tip();
    const refused = await settled(of, (await submit(of, of.run.id, { patch })).id, 45_000);
    expect(['failed_preparation', 'needs_manual_attention']).toContain(refused.state);
    expect(repository.tip()).toBe(tip);
    rmSync(loose);
    renameSync(`${loose}.kept`, loose);
    const step = await settled(of, (await submit(of, of.run.id, { patch })).id, 45_000);
    expect(step, JSON.stringify(step.reason)).toMatchObject({ state: 'completed' });
  });
});
