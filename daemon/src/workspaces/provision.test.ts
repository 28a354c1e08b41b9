import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { readDifference } from '../git/difference.ts';
import { scratch, storeOf, type Scratch } from '../git/scratch.fixture.ts';
import { takeSnapshot } from '../git/snapshot.ts';
import type { Sandbox } from '../process/confined.ts';
import { detectConfinement } from '../process/detect.ts';
import { runValidations } from '../validation/validate.ts';
import type { Provision } from './provision.ts';
import { createWorkspaces, type Workspace } from './workspaces.ts';

const own = mkdtempSync(join(tmpdir(), 'fairlead-provision-'));
const confining = await detectConfinement({ folder: own, toolchain: [] });
if (!confining.sandbox) process.stderr.write(`skipped: no sandbox here (${confining.reason}); ${confining.cure}\n`);
const kinds = [confining.unconfined, ...(confining.sandbox ? [confining.sandbox] : [])];

let repo: Scratch;
afterEach(() => repo?.remove());
afterAll(() => rmSync(own, { recursive: true, force: true }));

const run = async (sandbox: Sandbox, { folder, readable }: Workspace, script: string): Promise<string> => {
  let said = '';
  const child = await sandbox.start({
    argv: ['/bin/sh', '-c', script],
    workspace: folder,
    readable,
    env: {},
    timeout_ms: 20_000,
    output: (chunk) => (said += chunk.toString()),
  });
  await child.ended;
  return said;
};

/** Everything about a folder that work could have altered. */
const picture = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
    .map((path) => {
      const { mode, ino, mtimeMs, ctimeMs, nlink } = lstatSync(path);
      const content = entryContent(path);
      return [path, mode, ino, mtimeMs, ctimeMs, nlink, content].join(' ');
    });

const entryContent = (path: string): string => {
  const facts = lstatSync(path);
  if (facts.isSymbolicLink()) return readlinkSync(path);
  return facts.isFile() ? readFileSync(path, 'latin1') : '';
};

const OVERWRITE = [
  'for f in node_modules/* node_modules/*/* node_modules/.bin/*; do echo doctored > $f; chmod 777 $f; done',
  'ln node_modules/lib/index.js stolen; echo doctored > stolen',
  'mv node_modules elsewhere; rm -rf elsewhere; rm -rf node_modules; echo new > node_modules/new.js',
].join('; ');

const started = async () => {
  repo = scratch();
  repo.write('a.txt', 'a\n');
  repo.write('src/kept.ts', '');
  repo.write('.gitignore', 'node_modules/\n.env\n');
  const base = repo.commit('first');
  repo.write('node_modules/lib/index.js', 'module\n');
  repo.write('node_modules/lib/run.sh', '#!/bin/sh\necho tool\n');
  mkdirSync(join(repo.path, 'node_modules/.bin'));
  symlinkSync('../lib/run.sh', join(repo.path, 'node_modules/.bin/tool'));
  const { store, facts } = await storeOf(repo);
  const workspaces = createWorkspaces(join(repo.folder, 'work'));
  const provisioned = async (sandbox: Sandbox, policy: Provision, name = 'att_1'): Promise<Workspace> => {
    const workspace = await workspaces.create({ name, store, commit: base });
    return workspaces.provision(workspace, { policy, repository: facts, sandbox, timeout_ms: 20_000, output: () => undefined });
  };
  return { base, store, facts, workspaces, provisioned };
};

const mount = (mode: 'read_only' | 'copy_on_write', path = 'node_modules'): Provision => ({
  copy: [],
  network: [],
  mount: [{ path, mode }],
});

describe.each(kinds.map((sandbox) => [sandbox.kind, sandbox] as const))('the network of the hook, %s', (_, sandbox) => {
  const script = 'if test -n "$HTTPS_PROXY"; then echo way; else echo none; fi > how.txt';
  const how = async (network: string[]): Promise<string> => {
    const { provisioned } = await started();
    const workspace = await provisioned(sandbox, { copy: [], network, post_create: ['/bin/sh', '-c', script] });
    return readFileSync(join(workspace.folder, 'how.txt'), 'utf8').trim();
  };

  it('is a way out to the hosts that the policy names, and none where it names none', async () => {
    expect(await how(['registry.example'])).toBe('way');
    expect(await how([])).toBe('none');
  });
});

describe.each(kinds.map((sandbox) => [sandbox.kind, sandbox] as const))('a folder that is mounted, %s', (kind, sandbox) => {
  const modes = ['copy_on_write', 'read_only'] as const;

  it.each(modes)('%s: is there, and the owner keeps it as it was whatever work does to it', async (mode) => {
    const { provisioned } = await started();
    const before = picture(join(repo.path, 'node_modules'));
    const workspace = await provisioned(sandbox, mount(mode));
    expect(await run(sandbox, workspace, 'cat node_modules/lib/index.js; cat node_modules/.bin/tool')).toBe(
      'module\n#!/bin/sh\necho tool\n',
    );
    await run(sandbox, workspace, OVERWRITE);
    expect(picture(join(repo.path, 'node_modules'))).toEqual(before);
  });

  it.each(modes)('%s: is fresh for every check, and for the hook', async (mode) => {
    const { base, store, facts, workspaces } = await started();
    const output: Record<string, string> = {};
    const check = (name: string, script: string) => ({ name, argv: ['/bin/sh', '-c', script], timeout_ms: 20_000, required: true });
    const checks = [
      check('first', `cat node_modules/lib/index.js; ${OVERWRITE}; true`),
      check('second', 'cat node_modules/lib/index.js; ls node_modules'),
    ];
    const found = await runValidations({
      store,
      commit: base,
      checks,
      workspaces,
      name: 'att_1.check',
      sandbox,
      env: {},
      provision: {
        policy: { ...mount(mode), post_create: ['/bin/sh', '-c', 'cat node_modules/lib/index.js'] },
        repository: facts,
        timeout_ms: 20_000,
        output: (chunk) => (output['hook'] = (output['hook'] ?? '') + chunk.toString()),
      },
      output:
        ({ name }) =>
        (chunk) =>
          (output[name] = (output[name] ?? '') + chunk.toString()),
    });
    expect(found.map(({ passed }) => passed)).toEqual([true, true]);
    expect(output['hook']).toBe('module\nmodule\n');
    expect(output['first']).toMatch(/^module\n/);
    expect(output['second']).toBe('module\nlib\n');
  });

  it.each(modes)('%s: is no part of a snapshot, also when work stops ignoring it', async (mode) => {
    const { base, store, provisioned, workspaces } = await started();
    const workspace = await provisioned(sandbox, mount(mode, 'node_modules/'));
    writeFileSync(join(workspace.folder, '.gitignore'), '');
    writeFileSync(join(workspace.folder, 'work.txt'), 'work\n');
    await run(sandbox, workspace, 'echo more > node_modules/more.js');
    const { tree, findings } = await takeSnapshot(store, workspace.folder, workspace.index);
    expect(findings).toEqual([]);
    expect((await readDifference(store, base, tree)).entries.map(({ path }) => path)).toEqual(['.gitignore', 'work.txt']);
    const { provisioned: state } = workspaces.state();
    const copied = mode === 'copy_on_write' || kind === 'unconfined';
    expect(state.get(store.folder)).toEqual({
      copied: copied ? ['node_modules/'] : [],
      mounted_read_only: copied ? [] : ['node_modules/'],
      post_create: false,
    });
  });
});

describe.runIf(confining.sandbox)('a hook', () => {
  it('cannot put a link in the way of a mount', async () => {
    const { provisioned } = await started();
    repo.write('apps/shop/modules/index.js', 'module\n');
    const policy = { ...mount('read_only', 'apps/shop/modules'), post_create: ['/bin/sh', '-c', 'mv apps moved && ln -s /tmp apps'] };
    await expect(provisioned(confining.sandbox!, policy)).rejects.toMatchObject({ code: 'requirement_missing' });
  });
});

describe('a copied file', () => {
  it('stays out of a snapshot when work stops ignoring it', async () => {
    const { base, store, provisioned } = await started();
    repo.write('.env', 'SECRET');
    const workspace = await provisioned(confining.unconfined, { copy: ['.env'], network: [] });
    writeFileSync(join(workspace.folder, '.gitignore'), '!.env\n');
    const { tree } = await takeSnapshot(store, workspace.folder, workspace.index);
    expect((await readDifference(store, base, tree)).entries.map(({ path }) => path)).toEqual(['.gitignore']);
  });
});

describe('a mount is refused', () => {
  it.each([
    ['read_only', 'none', 'does not exist'],
    ['copy_on_write', 'none', 'does not exist'],
    ['read_only', 'file.txt', 'is not a folder'],
    ['read_only', 'linked', 'must not be a link'],
    ['copy_on_write', 'linked', 'must not be a link'],
    ['read_only', 'linked/sub', 'through a link'],
    ['read_only', '../other', 'inside the repository'],
    ['read_only', '.git/objects', 'not in .git'],
    ['read_only', 'src', 'in the checkout already'],
    ['copy_on_write', 'leaves', 'leaves the repository'],
    ['copy_on_write', 'pipes', 'neither a file nor a folder'],
    ['copy_on_write', 'huge', 'is too large'],
  ] as const)('%s of %s', async (mode, path, words) => {
    const { provisioned } = await started();
    repo.write('file.txt', '');
    mkdirSync(join(repo.folder, 'elsewhere/sub'), { recursive: true });
    symlinkSync('../elsewhere', join(repo.path, 'linked'));
    mkdirSync(join(repo.path, 'leaves'));
    symlinkSync('../../elsewhere', join(repo.path, 'leaves', 'out'));
    repo.write('huge/sparse', '');
    truncateSync(join(repo.path, 'huge/sparse'), 5 * 1024 ** 4);
    mkdirSync(join(repo.path, 'pipes'));
    execFileSync('mkfifo', [join(repo.path, 'pipes/one')]);
    const sandbox = confining.sandbox ?? confining.unconfined;
    const work = provisioned(sandbox, mount(mode, path));
    await expect(work).rejects.toMatchObject({ code: 'project_policy_invalid', context: { field: 'provision.mount' } });
    await expect(work).rejects.toThrow(words);
  });
});
