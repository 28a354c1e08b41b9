import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { bundleAgentCommits } from '../git/agent-commits.ts';
import { readDifference } from '../git/difference.ts';
import { scratch, storeOf, type Scratch } from '../git/scratch.fixture.ts';
import { takeSnapshot } from '../git/snapshot.ts';
import type { Sandbox } from '../process/confined.ts';
import { detectConfinement } from '../process/detect.ts';
import { createWorkspaces } from '../workspaces/workspaces.ts';
import { runValidations, type Check, type ValidationOrder } from './validate.ts';

const own = mkdtempSync(join(tmpdir(), 'fairlead-validate-'));
const confining = await detectConfinement({ folder: own, toolchain: [] });
if (!confining.sandbox) process.stderr.write(`skipped: no sandbox here (${confining.reason}); ${confining.cure}\n`);
const kinds = [confining.unconfined, ...(confining.sandbox ? [confining.sandbox] : [])];

let repo: Scratch;
afterEach(() => repo?.remove());
afterAll(() => rmSync(own, { recursive: true, force: true }));

const NO_PROVISION = { copy: [], network: [] };
const sh = (name: string, script: string, more: Partial<Check> = {}): Check => ({
  name,
  argv: ['/bin/sh', '-c', script],
  timeout_ms: 20_000,
  required: true,
  ...more,
});

const started = async () => {
  repo = scratch();
  repo.write('a.txt', 'a\n');
  repo.write('.gitignore', 'node_modules/\n.env\n');
  const base = repo.commit('first');
  const { store, facts } = await storeOf(repo);
  const workspaces = createWorkspaces(join(repo.folder, 'work'));
  const output: Record<string, string> = {};
  const order = (
    sandbox: Sandbox,
    checks: Check[],
    policy: ValidationOrder['provision']['policy'] = NO_PROVISION,
    more: Partial<ValidationOrder> = {},
  ): ValidationOrder => ({
    store,
    commit: base,
    checks,
    workspaces,
    name: 'att_1.check',
    sandbox,
    env: { FAIRLEAD_STEP: 'step_1' },
    provision: {
      policy,
      repository: facts,
      timeout_ms: 20_000,
      output: (chunk) => (output['hook'] = (output['hook'] ?? '') + chunk.toString()),
    },
    output: (check) => (chunk) => (output[check.name] = (output[check.name] ?? '') + chunk.toString()),
    ...more,
  });
  return { base, store, facts, workspaces, output, order };
};

describe.each(kinds.map((sandbox) => [sandbox.kind, sandbox] as const))('validations, %s', (kind, sandbox) => {
  it('run in turn in a clean checkout, each with its facts, and leave nothing', async () => {
    const { order, output, workspaces } = await started();
    const collected: string[] = [];
    const done: string[] = [];
    const facts = await runValidations(
      order(
        sandbox,
        [
          sh('good', 'ls -A; cat a.txt; echo $FAIRLEAD_STEP; echo r > $FAIRLEAD_OUT/report'),
          sh('bad', 'exit 7', { required: false }),
          sh('slow', 'sleep 60', { timeout_ms: 300 }),
        ],
        NO_PROVISION,
        {
          collect: async (out) => void collected.push(...readdirSync(out)),
          done: (found) => void done.push(found.name),
        },
      ),
    );
    expect(facts).toMatchObject([
      { name: 'good', passed: true, exit_code: 0, timed_out: false, confinement: kind, required: true, stopped: 'by_itself' },
      { name: 'bad', passed: false, exit_code: 7, required: false },
      { name: 'slow', passed: false, timed_out: true, interrupted: false, stopped: 'confirmed' },
    ]);
    expect(output['good']).toBe('.gitignore\na.txt\na\nstep_1\n');
    expect([collected, done]).toEqual([['report'], ['good', 'bad', 'slow']]);
    expect(readdirSync(join(repo.folder, 'work'))).toEqual([]);
    expect(await workspaces.sweep(new Set())).toEqual([]);
  });

  it('stop when the step does', async () => {
    const { order } = await started();
    const control = new AbortController();
    const running = runValidations(
      order(sandbox, [sh('first', 'sleep 60'), sh('second', 'true')], NO_PROVISION, {
        signal: control.signal,
        started: () => control.abort('cancel'),
      }),
    );
    expect(await running).toMatchObject([
      { interrupted: true, passed: false, stopped: 'confirmed' },
      { interrupted: true, passed: false, duration_ms: 0 },
    ]);
  });

  it('are provisioned by real copies and a hook, whose traces are no part of the work', async () => {
    const { order, output, store, base, workspaces, facts } = await started();
    repo.write('local.cfg', 'copied\n');
    repo.write('tools/bin/run', '#!/bin/sh\necho tool\n');
    chmodSync(join(repo.path, 'tools/bin/run'), 0o755);
    symlinkSync('run', join(repo.path, 'tools/bin/alias'));
    const policy = { copy: ['local.cfg', 'tools'], post_create: ['/bin/sh', '-c', 'echo made > made.txt; echo hook ran'], network: [] };
    const found = await runValidations(
      order(
        sandbox,
        [sh('uses', 'cat local.cfg made.txt; tools/bin/alias; echo doctored > tools/bin/run; echo doctored > local.cfg')],
        policy,
      ),
    );
    expect(found).toMatchObject([{ passed: true }]);
    expect(output['uses']).toBe('copied\nmade\ntool\n');
    expect(readFileSync(join(repo.path, 'tools/bin/run'), 'utf8')).toContain('echo tool');
    expect(readFileSync(join(repo.path, 'local.cfg'), 'utf8')).toBe('copied\n');
    const workspace = await workspaces.create({ name: 'att_2', store, commit: base });
    await workspaces.provision(workspace, { policy, repository: facts, sandbox, timeout_ms: 20_000, output: () => undefined });
    writeFileSync(join(workspace.folder, 'work.txt'), 'work\n');
    const { tree } = await takeSnapshot(store, workspace.folder, workspace.index);
    expect((await readDifference(store, base, tree)).entries.map(({ path }) => path)).toEqual(['work.txt']);
    expect((await workspaces.find('att_2'))?.folder).toBe(workspace.folder);
    chmodSync(join(workspace.folder, 'tools'), 0o500);
    expect(await workspaces.sweep(new Set(['other']))).toEqual(['att_2']);
    expect(await workspaces.find('att_2')).toBeUndefined();
    const failing = runValidations(
      order(sandbox, [sh('never', 'true')], { copy: [], post_create: ['/bin/sh', '-c', 'echo why; exit 1'], network: [] }),
    );
    await expect(failing).rejects.toMatchObject({ code: 'requirement_missing' });
    expect(output['hook']).toContain('why');
  });
});

describe('provisioning refuses', () => {
  const refused = async (policy: ValidationOrder['provision']['policy'], words: string): Promise<void> => {
    const { order } = await started();
    mkdirSync(join(repo.path, 'real'));
    repo.write('real/file', 'x');
    symlinkSync('/etc', join(repo.path, 'linked'));
    symlinkSync('/etc/passwd', join(repo.path, 'real', 'out'));
    const work = runValidations(order(confining.unconfined, [sh('never', 'true')], policy));
    await expect(work).rejects.toMatchObject({ code: 'project_policy_invalid' });
    await expect(work).rejects.toThrow(words);
  };
  it.each([
    ['../x', 'inside the repository'],
    ['/etc/passwd', 'inside the repository'],
    ['.git/config', 'not in .git'],
    ['linked', 'must not be a link'],
    ['linked/passwd', 'through a link'],
    ['real', 'leaves the repository'],
    ['none', 'does not exist'],
    ['a.txt', 'in the checkout already'],
  ])('a copy of %s', (path, words) => refused({ copy: [path], network: [] }, words));

  it('a copy through a link that the tree brings along', async () => {
    repo = scratch();
    symlinkSync('../outside', join(repo.path, 'conf'));
    const base = repo.commit('hostile link');
    const { store, facts } = await storeOf(repo);
    rmSync(join(repo.path, 'conf'));
    repo.write('conf/.env', 'SECRET');
    mkdirSync(join(repo.folder, 'work', 'att_1', 'outside'), { recursive: true });
    const workspaces = createWorkspaces(join(repo.folder, 'work'));
    const workspace = await workspaces.create({ name: 'att_1', store, commit: base });
    const provisioning = {
      policy: { copy: ['conf/.env'], network: [] },
      repository: facts,
      sandbox: confining.unconfined,
      timeout_ms: 1000,
      output: () => undefined,
    };
    await expect(workspaces.provision(workspace, provisioning)).rejects.toThrow('through a link');
  });
});

describe.runIf(confining.sandbox)('confined work', () => {
  const sandbox = confining.sandbox!;
  const ATTACK = (secret: string, port: string) =>
    `cat ${secret} && echo LEAK; cat "$HOME/.ssh/id_ed25519" && echo LEAK; ls ${tmpdir()} | grep fairlead && echo LEAK; (setsid sleep 7781 >/dev/null 2>&1 &); echo ${port}; true`;

  it('reads no secret and leaves no process, as a check and as a hook', async () => {
    const { order, output } = await started();
    const secret = join(homedir(), `.fairlead-test-key-${process.pid}`);
    writeFileSync(secret, 'PRIVATE KEY');
    try {
      const script = ATTACK(secret, 'done');
      await runValidations(order(sandbox, [sh('attack', script)], { copy: [], post_create: ['/bin/sh', '-c', script], network: [] }));
      for (const text of [output['attack'], output['hook']]) {
        expect(text).toContain('done');
        expect(text).not.toMatch(/LEAK|PRIVATE KEY/);
      }
      const sleeping = readdirSync('/proc').filter(
        (pid) =>
          /^\d+$/.test(pid) &&
          existsSync(`/proc/${pid}/cmdline`) &&
          readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('sleep\u00007781'),
      );
      expect(sleeping).toEqual([]);
    } finally {
      rmSync(secret);
    }
  });

  it('lets an agent commit; its commits are a bundle, its borrowed objects and names lead nowhere', async () => {
    const { store, base, workspaces } = await started();
    const foreign = scratch();
    try {
      foreign.write('private.txt', 'another private repository');
      const stolen = foreign.commit('private');
      const workspace = await workspaces.create({ name: 'att_9', store, commit: base, private_git: sandbox.kind });
      const run = async (script: string): Promise<string> => {
        let text = '';
        const child = await sandbox.start({
          argv: ['/bin/sh', '-c', script],
          workspace: workspace.folder,
          out: workspace.out,
          readable: workspace.readable,
          env: {},
          timeout_ms: 20_000,
          output: (chunk) => (text += chunk.toString()),
        });
        await child.ended;
        return text;
      };
      const commit = 'git -c user.name="Linus" -c user.email=linus@example.org commit -q';
      expect(await run('git status --porcelain && git log --format=%s')).toBe('first\n');
      expect(
        await bundleAgentCommits({ sandbox, workspace: workspace.folder, out: workspace.out, readable: workspace.readable, base }),
      ).toBeNull();
      await run(
        `echo agent > agent.txt; git add -A; ${commit} -m forged; echo more >> agent.txt; ${commit} -am second; echo x > /store/objects/x`,
      );
      const bundle = await bundleAgentCommits({
        sandbox,
        workspace: workspace.folder,
        out: workspace.out,
        readable: workspace.readable,
        base,
      });
      expect(bundle?.size).toBeGreaterThan(100);
      expect(repo.git('bundle', 'verify', bundle!.file)).toContain(`requires this ref:\n${base}`);
      const { tree } = await takeSnapshot(store, workspace.folder, workspace.index);
      expect((await readDifference(store, base, tree)).entries.map(({ path }) => path)).toEqual(['agent.txt']);
      expect(existsSync(join(store.folder, 'objects', 'x'))).toBe(false);
      rmSync(bundle!.file);
      // Theft: the agent's repository borrows from another one of the owner's, and its branch names that one's commit.
      const git = join(workspace.folder, '.git');
      writeFileSync(join(git, 'objects', 'info', 'alternates'), `/store/objects\n${foreign.path}/.git/objects\n`);
      writeFileSync(join(git, 'refs', 'heads', 'work'), `${stolen}\n`);
      expect(
        await bundleAgentCommits({ sandbox, workspace: workspace.folder, out: workspace.out, readable: workspace.readable, base }),
      ).toBeNull();
    } finally {
      foreign.remove();
    }
  });
});
