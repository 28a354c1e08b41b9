import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contentOf, doTask } from '../rig/planner.ts';
import { git, makeRepository, writeFiles } from '../rig/repositories.ts';
import { raiseStack, type Stack, type StackInstance } from '../rig/stack.ts';
import { CANARY, napping, plantLoot, thief, type Theft } from './loot.ts';

/** Attacks 1, 8, 10 and 11: a planner far away, or an agent at work, that wants more than a change. On the whole stack, as real processes. */

const NAPS = { check: `4711.${process.pid}`, hook: `4712.${process.pid}` };
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'fairlead-hostile-')));
const NOTHING = 'true\n';

/** Overwrites whatever it can, and what was provisioned for it. */
const OVERWRITE = `
find / -xdev \\( -path /proc -o -path /sys -o -path /dev \\) -prune -o -type f -print 2>/dev/null | while read -r file; do
  case "$file" in /proc/*|/sys/*|/dev/*|"$PWD"/*) continue ;; esac
  ( echo EVIL > "$file" ) 2>/dev/null
done
echo EVIL > node_modules/runner.js
echo EVIL > .env
echo changed > src/a.txt
exit 0
`;

/** Everything that a snapshot must not read. */
const MESS = `
mkfifo pipe
truncate -s 1T sparse
ln -s /etc/shadow shadow
rm -rf conf && ln -s /tmp conf
mkdir -p nested && git -C nested init -q && echo unseen > nested/file
mknod device c 1 3 2>/dev/null
echo changed > src/a.txt
exit 0
`;

/** A file of another repository of this machine, whose name in git everybody can work out who has seen it once. */
const SECRET = `${CANARY} of another repository\n`;
const SECRET_BLOB = createHash('sha1').update(`blob ${SECRET.length}\0${SECRET}`).digest('hex');

/** Lends itself the objects of another repository and commits one of them, under the owner's name. */
const BORROW = `
git config user.name Owner && git config user.email owner@example.invalid
echo "${join(folder, 'judged')}/.git/objects" >> .git/objects/info/alternates
git update-index --add --cacheinfo 100644,${SECRET_BLOB},stolen.txt && echo indexed
tree=$(git write-tree --missing-ok) && git update-ref HEAD "$(git commit-tree -p HEAD -m stolen "$tree")" && echo committed
git cat-file blob ${SECRET_BLOB} > stolen.txt
[ -s stolen.txt ] || rm -f stolen.txt
echo changed > src/a.txt
exit 0
`;

const PROJECTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  thief: {
    'test/run.sh': NOTHING,
    'hook.sh': NOTHING,
    '.fairlead/project.yaml':
      'version: 1\nvalidations: { unit: { run: [sh, test/run.sh], timeout: 60s } }\nprovision: { post_create: [sh, hook.sh] }\n',
  },
  vandal: {
    'src/a.txt': 'one\n',
    '.gitignore': 'node_modules\n.env\n',
    'overwrite.sh': OVERWRITE,
    'mess.sh': MESS,
    'borrow.sh': BORROW,
    '.fairlead/project.yaml': `version: 1
validations: { clean: { run: [sh, -c, "! grep -q EVIL node_modules/runner.js .env && grep -q GOOD node_modules/runner.js"], judges: ['judges/**'] } }
provision: { copy: [.env], mount: [{ path: node_modules, mode: copy_on_write }] }
`,
  },
  judged: {
    'src/value.txt': 'good\n',
    'test/check.sh': 'grep -q good src/value.txt\n',
    'secret.txt': SECRET,
    'package.json': `${JSON.stringify({ name: 'judged', private: true, scripts: { test: 'sh test/check.sh' } }, null, 2)}\n`,
    '.fairlead/project.yaml': 'version: 1\nvalidations: { unit: { run: [npm, test], timeout: 2m } }\n',
  },
};

let stack: Stack;
let loot: readonly Theft[];
const at: Record<string, StackInstance> = {};

/** The patch that makes these files of the committed ones; null removes. The checkout of the owner is left as it was. */
const patchOf = (repo: string, files: Readonly<Record<string, string | null>>): string => {
  for (const [name, text] of Object.entries(files)) {
    if (text === null) rmSync(join(repo, name));
    else writeFiles(repo, { [name]: text });
  }
  git(repo, 'add', '-A');
  const diff = `${git(repo, 'diff', '--cached', '--binary')}\n`;
  git(repo, 'reset', '-q', '--hard');
  return diff;
};

/** One digest over every file, link and mode below a folder. */
const hashOf = (root: string): string => {
  const hash = createHash('sha256');
  for (const name of (readdirSync(root, { recursive: true }) as string[]).toSorted()) {
    const path = join(root, name);
    const stat = lstatSync(path);
    hash.update(`${name} ${stat.mode} `);
    if (stat.isSymbolicLink()) hash.update(readlinkSync(path));
    else if (stat.isFile()) hash.update(readFileSync(path));
  }
  return hash.digest('hex');
};

/** All that the checks of a step printed, as a planner reads it. */
const printedBy = async (stepId: string): Promise<string> => {
  const { planner } = stack;
  const { items } = await planner.call('list_artifacts', { step_id: stepId });
  const outputs = items.filter(({ kind }) => kind === 'validation_output');
  const bodies = await Promise.all(outputs.map(async ({ id }) => (await planner.content(id)).toString('latin1')));
  const { items: checks } = await planner.call('list_validations', { step_id: stepId });
  return [...bodies, ...checks.map(({ output_tail }) => output_tail)].join('\n');
};

/** The objects that a bundle brings, as a repository that has nothing else sees them. */
const objectsIn = (bundle: Buffer): string => {
  const empty = mkdtempSync(join(folder, 'empty-'));
  git(empty, 'init', '-q');
  // What it stands on is not here, so that only its pack can be unpacked.
  const pack = bundle.subarray(bundle.indexOf('PACK'));
  execFileSync('git', ['unpack-objects', '-q'], { cwd: empty, input: pack, stdio: ['pipe', 'ignore', 'ignore'] });
  return git(empty, 'cat-file', '--batch-all-objects', '--batch-check');
};

beforeAll(async () => {
  const repositories = Object.entries(PROJECTS).map(([name, files]) => makeRepository(join(folder, name), files));
  writeFiles(join(folder, 'vandal'), { 'node_modules/runner.js': '// GOOD\n', '.env': 'PLAIN=words\n' });
  const config =
    'commands:\n  overwrite: { run: [sh, overwrite.sh], timeout: 2m }\n  mess: { run: [sh, mess.sh], timeout: 2m }\n  borrow: { run: [sh, borrow.sh], timeout: 2m }\n';
  stack = await raiseStack({ repositories, config });
  Object.keys(PROJECTS).forEach((name, index) => (at[name] = stack.instances[index]!));
  loot = plantLoot(stack);
}, 180_000);
afterAll(async () => {
  await stack?.close();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

/** Rule: whatever executes bytes of a workspace runs confined: no home, no Fairlead, no other repository, no network, no survivor. */
describe('a remote patch that would steal', { timeout: 180_000 }, () => {
  it('would succeed at each of it outside of the sandbox', () => {
    for (const { name, script } of loot) expect(() => execFileSync('sh', ['-c', script], { stdio: 'ignore' }), name).not.toThrow();
  });

  it('reaches nothing from its test, and nothing of it survives', async ({ annotate }) => {
    const { id, repo } = at['thief']!;
    const patch = patchOf(repo, { 'test/run.sh': thief(loot, NAPS.check) });
    const { step } = await doTask(stack.planner, id, { title: 'A better test', patch, executor: 'patch' });
    expect(step, JSON.stringify(step)).toMatchObject({ state: 'needs_approval' });
    const said = await printedBy(step.id);
    for (const { name } of loot) expect(said).toContain(`held: ${name}`);
    expect(said).toContain('left a child');
    expect(said).not.toMatch(new RegExp(`REACHED|${CANARY}|flo_`));
    expect(napping(NAPS.check)).toBe(false);
    await annotate(`${loot.length + 1} attacks`, 'count');
  });

  it('reaches nothing from the post-create hook either', async ({ annotate }) => {
    const { id, repo } = at['thief']!;
    // What the hook says goes into a file that the check prints.
    const hook = `(\n${thief(loot, NAPS.hook)}\n) > said.txt 2>&1\n`;
    const patch = patchOf(repo, { 'hook.sh': hook, 'test/run.sh': 'cat said.txt\n' });
    const { step } = await doTask(stack.planner, id, { title: 'A better hook', patch, executor: 'patch' });
    const said = await printedBy(step.id);
    for (const { name } of loot) expect(said).toContain(`held: ${name}`);
    expect(said).toContain('left a child');
    expect(said).not.toMatch(new RegExp(`REACHED|${CANARY}|flo_`));
    expect(napping(NAPS.hook)).toBe(false);
    await annotate(`${loot.length + 1} attacks`, 'count');
  });
});

/** Rule: work happens away from the user's repository; provisioning makes real copies and never links into mutable folders. */
describe('an executor that overwrites all it can', { timeout: 180_000 }, () => {
  it("changes nothing of the owner's checkout, and its doctored runner judges nothing", async () => {
    const { id, repo } = at['vandal']!;
    const before = hashOf(repo);
    const result = await doTask(stack.planner, id, { title: 'Vandalise', goal: 'x', executor: 'command.overwrite' });
    expect(hashOf(repo)).toBe(before);
    const { items } = await stack.planner.call('list_validations', { step_id: result.step.id });
    expect(items.map(({ name, passed }) => [name, passed])).toEqual([['clean', true]]);
  });

  it('finds a FIFO, a device, a 1 TiB sparse file, a nested repository and a link out of the tree, before anything is hashed', async () => {
    const { id, repo } = at['vandal']!;
    const before = hashOf(repo);
    const from = performance.now();
    const { step, change } = await doTask(stack.planner, id, { title: 'Make a mess', goal: 'x', executor: 'command.mess' });
    // A hash of 1 TiB takes half an hour.
    expect(performance.now() - from).toBeLessThan(90_000);
    expect(step, JSON.stringify(step)).toMatchObject({ state: 'failed_fence' });
    const rules = change!.findings.map(({ rule, path }) => `${rule} ${path}`);
    expect(rules).toEqual(
      expect.arrayContaining([
        'special_file pipe',
        'file_too_large sparse',
        'nested_repository nested',
        expect.stringMatching(/link.* shadow/) as string,
        expect.stringMatching(/link.* conf/) as string,
      ]),
    );
    expect(hashOf(repo)).toBe(before);
  });
});

/** Rule: an agent's commits are evidence, never what lands; its own repository is read by a git that sees nothing else. */
describe("an executor that lends itself another repository's objects", { timeout: 180_000 }, () => {
  it('gets none of them into the change or the evidence, and lands under no name that it made up', async () => {
    const [{ id, repo }, other] = [at['vandal']!, at['judged']!];
    expect(git(other.repo, 'cat-file', 'blob', SECRET_BLOB)).toBe(SECRET.trim());
    const { step, change, gate } = await doTask(stack.planner, id, { title: 'Borrow', goal: 'x', executor: 'command.borrow' });
    expect(change!.files.map(({ path }) => path)).toEqual(['src/a.txt']);
    const { items } = await stack.operator.call('list_artifacts', { step_id: step.id });
    const bodies = await Promise.all(items.map(async (one) => ({ ...one, bytes: await contentOf(stack.operator, one.id) })));
    const output = bodies.find(({ kind }) => kind === 'output')!.bytes.toString();
    expect(output).toContain('committed');
    for (const { name, kind, bytes } of bodies) {
      expect(bytes.includes(CANARY), name).toBe(false);
      if (kind === 'agent_commits') expect(objectsIn(bytes), name).not.toContain(SECRET_BLOB);
    }
    if (gate) await stack.operator.call('approve_gate', { gate_id: gate.id, digest: gate.digest }, { idempotencyKey: 'borrow-approve' });
    await stack.operator.call('integrate_change', { change_id: change!.id }, { idempotencyKey: 'borrow-land' });
    const head = git(repo, 'rev-parse', 'main');
    expect(git(repo, 'ls-tree', '-r', '--name-only', head).split('\n')).not.toContain('stolen.txt');
    expect(() => git(repo, 'cat-file', '-e', SECRET_BLOB)).toThrow();
    expect(git(repo, 'log', '-1', '--format=%an %ae %s', head)).not.toMatch(/Owner|owner@|stolen/);
  });
});

/** Rule: the judge is the owner's; a change to it never completes alone, and the check runs again with the judges of the base. */
describe('a remote change of the judge', { timeout: 180_000 }, () => {
  it.each([
    ['deletes the test', { 'test/check.sh': null }, false],
    ['empties the test', { 'test/check.sh': 'true\n' }, true],
    [
      'makes scripts.test = "true"',
      { 'package.json': `${JSON.stringify({ name: 'judged', private: true, scripts: { test: 'true' } }, null, 2)}\n` },
      true,
    ],
  ] as const)('that %s is a gate with both results', async (_, files, passes) => {
    const { id, repo } = at['judged']!;
    const patch = patchOf(repo, { ...files, 'src/value.txt': 'bad\n' });
    const { step, gate } = await doTask(stack.planner, id, { title: 'Pass', patch, executor: 'patch' });
    const { items } = await stack.planner.call('list_validations', { step_id: step.id });
    const results = items.map(({ phase, passed }) => [phase, passed]);
    // A deleted test fails by itself, and then nothing needs to be run again.
    if (!passes) expect([step.state, results[0]]).toEqual(['failed_validation', ['change', false]]);
    else {
      expect(step).toMatchObject({ state: 'needs_approval' });
      expect(gate!.reasons).toContain('judge_changed');
      expect(results).toEqual([
        ['change', true],
        ['judges_restored', false],
      ]);
    }
  });
});
