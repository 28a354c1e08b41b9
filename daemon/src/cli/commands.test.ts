import { spawn, type ChildProcess } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const BIN = join(ROOT, 'daemon', 'dist', 'main.js');
const root = realpathSync(mkdtempSync(join(tmpdir(), 'fairlead-cli-')));
const repo = join(root, 'my répo');
const home = join(root, 'home');
const started: ChildProcess[] = [];

interface Ended {
  readonly exit: number | null;
  readonly out: string;
  readonly err: string;
}

const run = (
  args: readonly string[],
  { input = '', cwd = repo, at = home }: { input?: string; cwd?: string; at?: string } = {},
): Promise<Ended> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [BIN, ...args], {
      cwd,
      env: { PATH: process.env['PATH'], FAIRLEAD_HOME: at, FAIRLEAD_LOG: 'silent' },
    });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => void (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => void (err += chunk.toString()));
    child.on('close', (exit) => resolve({ exit, out, err }));
    child.stdin.end(input);
  });

const json = async (...args: string[]): Promise<Record<string, unknown>> => {
  const { out, err, exit } = await run([...args, '--json']);
  expect(out.trimEnd().split('\n'), `${args.join(' ')}\n${err}`).toHaveLength(1);
  return { ...(JSON.parse(out) as Record<string, unknown>), exit };
};

/** Starts a daemon and answers the one line it prints. */
const serve = (
  at = home,
  ...more: string[]
): Promise<{ child: ChildProcess; ready: Record<string, unknown>; ended: Promise<number | null> }> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [BIN, 'serve', '--port', '0', '--json', ...more], {
      env: { PATH: process.env['PATH'], FAIRLEAD_HOME: at, FAIRLEAD_LOG: 'silent' },
    });
    started.push(child);
    const ended = new Promise<number | null>((settle) => child.on('close', settle));
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('\n')) resolve({ child, ended, ready: JSON.parse(text) as Record<string, unknown> });
    });
  });

const git = (...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=Ann', '-c', 'user.email=ann@example', ...args], { cwd: repo, encoding: 'utf8' }).trim();
const patch = 'diff --git a/src/sum.txt b/src/sum.txt\n--- a/src/sum.txt\n+++ b/src/sum.txt\n@@ -1 +1,2 @@\n one\n+two\n';
const write = (name: string, text: string): string => {
  writeFileSync(join(root, name), text);
  return join(root, name);
};

beforeAll(async () => {
  execFileSync(process.execPath, [join(ROOT, 'scripts', 'build.mjs'), 'daemon'], { stdio: 'ignore' });
  mkdirSync(join(repo, 'src'), { recursive: true });
  mkdirSync(join(repo, '.fairlead'));
  writeFileSync(join(repo, 'src', 'sum.txt'), 'one\n');
  writeFileSync(join(repo, '.fairlead', 'project.yaml'), 'version: 1\ngates: { when: [protected] }\n');
  git('init', '-q', '-b', 'main');
  git('add', '.');
  git('commit', '-q', '-m', 'First');
  await serve();
}, 60_000);
afterAll(() => {
  for (const child of started) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

describe('fairlead', () => {
  it('says its version, its help, and the nearest command', async () => {
    expect((await run(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect((await run(['--help'])).out).toContain('Exit codes');
    const wrong = await run(['statsu']);
    expect([wrong.exit, wrong.err]).toEqual([1, expect.stringContaining('status')]);
    expect(await json('statsu')).toMatchObject({ code: 'invalid_input', exit: 1 });
  });

  it('lands a patch from submission to the branch', async () => {
    const added = await json('add', '.');
    expect(added).toMatchObject({ exit: 0, label: 'my répo' });
    expect((await run(['list'])).out).toContain(repo);
    const again = await run(['add', '.']);
    expect([again.exit, again.err]).toEqual([1, expect.stringContaining(`registered already, as ${String(added['id'])}`)]);
    const done = await json('submit', '--patch', write('add-two.diff', patch), '--wait');
    expect(done).toMatchObject({
      exit: 0,
      step: { state: 'completed_with_warnings', title: 'add-two' },
      change: { files: [{ path: 'src/sum.txt', added: 1 }] },
    });
    const { id } = done['change'] as { id: string };
    const diff = await run(['change', 'diff', id, '--raw']);
    expect(diff.out).toContain('+two');
    expect(await json('change', 'integrate', id)).toMatchObject({ exit: 0, state: 'integrated' });
    expect(git('log', '-1', '--format=%s')).toBe('add-two');
    expect(readFileSync(join(repo, 'src', 'sum.txt'), 'utf8')).toBe('one\ntwo\n');
  });

  it('holds a gated step with exit 4, and binds the approval to a digest', async () => {
    const more = 'diff --git a/src/new.txt b/src/new.txt\nnew file mode 100644\n--- /dev/null\n+++ b/src/new.txt\n@@ -0,0 +1 @@\n+new\n';
    const held = await json('submit', '--patch', write('more.diff', more), '--gate', '--wait');
    expect(held).toMatchObject({ exit: 4, step: { state: 'needs_approval' } });
    const gate = held['gate'] as { id: string; digest: string };
    expect((await run(['gate', 'list'])).out).toContain(gate.id);
    expect(await json('gate', 'approve', gate.id)).toMatchObject({ exit: 1, field: '--digest' });
    expect(await json('gate', 'approve', gate.id, '--digest', `sha256:${'0'.repeat(64)}`)).toMatchObject({
      exit: 4,
      code: 'digest_mismatch',
      field: '--digest',
      hint: `Look at it again: fairlead gate get ${gate.id}`,
    });
    expect(await json('gate', 'approve', gate.id, '--digest', gate.digest, '--integrate')).toMatchObject({
      exit: 0,
      change: { state: 'integrated' },
    });
    const step = held['step'] as { id: string };
    expect((await run(['step', 'wait', step.id])).exit).toBe(0);
    expect((await run(['step', 'result', step.id])).out).toContain('integrated');
  });

  it("answers a step's failure with the exit code of its state", async () => {
    const stale = 'diff --git a/src/sum.txt b/src/sum.txt\n--- a/src/sum.txt\n+++ b/src/sum.txt\n@@ -1 +1 @@\n-never there\n+x\n';
    const failed = await run(['submit', '--patch', write('stale.diff', stale), '--wait']);
    expect(failed.exit).toBe(5);
    expect(failed.out).toContain('failed_executor');
    expect(failed.out).toMatch(/Make the patch against target at [0-9a-f]{12} and submit a new step\.\n$/);
    expect(await run(['list', '--token', 'flo_another'])).toMatchObject({
      exit: 5,
      err: expect.stringContaining('Correct --token') as string,
    });
  });

  it('takes the five input forms and nothing twice', async () => {
    const file = write('task.yaml', `title: From a file\nexecutor: simulation.finished\ngoal: edit\n`);
    expect(await json('submit', file)).toMatchObject({ title: 'From a file', exit: 0 });
    expect(await json('submit', '--goal', 'Edit it', '--executor', 'simulation.finished')).toMatchObject({ title: 'Edit it', exit: 0 });
    const piped = await run(['submit', '--stdin', '--executor', 'simulation.finished', '--json'], { input: 'From a pipe\n' });
    expect(JSON.parse(piped.out)).toMatchObject({ title: 'From a pipe' });
    expect(await json('submit', '--goal', 'x', '--stdin')).toMatchObject({ code: 'invalid_input', exit: 1 });
    expect(await json('submit', '--goal', 'x', '--executor', 'nobody')).toMatchObject({ code: 'executor_unknown', exit: 1 });
    expect(await json('submit', '--goal', 'x')).toMatchObject({ code: 'patch_required', exit: 1 });
  });

  it('gives up a wait with exit 3 and lets the step go on; what it prints is one document all the same', async () => {
    const slow = await json('submit', '--goal', 'Go on', '--executor', 'simulation.slow', '--wait', '--wait-timeout', '300ms');
    const { id } = slow['step'] as { id: string };
    expect(slow['exit']).toBe(3);
    expect(await json('step', 'wait', id, '--timeout', '100ms')).toMatchObject({ exit: 3, wait_again: true });
    expect(['preparing', 'running']).toContain((await json('step', 'get', id))['state']);
    expect(Object.keys(await json('step', 'logs', id))).toContain('next_cursor');
    await json('step', 'cancel', id);
    expect(await json('step', 'wait', id)).toMatchObject({ exit: 4, step: { state: 'cancelled' } });
  }, 90_000);

  it('shows hostile text inert', async () => {
    const shown = await json('submit', '--goal', 'go', '--title', 'a\u202eb', '--executor', 'simulation.no_change');
    const { out } = await run(['step', 'get', shown['id'] as string]);
    expect(out).not.toContain('\u202e');
    expect(out).toContain('\\u{202e}');
  });

  it('halts, resumes, and shows its settings with their sources', async () => {
    expect(await json('halt')).toMatchObject({ halted: true });
    expect(await json('submit', '--goal', 'x', '--executor', 'simulation.finished')).toMatchObject({ code: 'halted', exit: 4 });
    expect((await run(['doctor'])).exit).toBe(5);
    expect(await json('resume')).toMatchObject({ halted: false });
    expect((await json('config', 'port'))['items']).toEqual([{ key: 'port', value: 0, source: 'flag --port' }]);
    expect((await run(['config'])).out).toContain('environment FAIRLEAD_LOG');
  });

  it('has a doctor that explains and does not block a sound machine', async () => {
    const { checks, ok } = (await json('doctor')) as { checks: { about: string; state: string; cure: string | null }[]; ok: boolean };
    expect(ok).toBe(true);
    expect(checks.map((one) => one.about)).toEqual(
      expect.arrayContaining(['node', 'git', 'sandbox', 'home', 'secrets', 'config', 'daemon']),
    );
    expect(checks.every((one) => one.state === 'ok' || one.cure)).toBe(true);
  });
});

describe('what goes wrong', () => {
  it('a second daemon for one home', async () => {
    const second = await run(['serve', '--port', '0', '--json']);
    expect([second.exit, JSON.parse(second.out)]).toEqual([5, expect.objectContaining({ code: 'already_running' })]);
  });

  it('a port in use', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };
    const refused = await run(['serve', '--port', String(port), '--json'], { at: join(root, 'other') });
    taken.close();
    expect([refused.exit, JSON.parse(refused.out)]).toEqual([5, expect.objectContaining({ code: 'port_in_use' })]);
  });

  it('a token file that others can read', async () => {
    const token = join(home, 'daemon', 'operator.token');
    chmodSync(token, 0o644);
    expect(await json('status')).toMatchObject({ code: 'secret_exposed', exit: 5 });
    const doctor = await run(['doctor']);
    expect([doctor.exit, doctor.out]).toEqual([5, expect.stringContaining(`chmod 600 ${token}`)]);
    chmodSync(token, 0o600);
    expect(await run(['status'])).toMatchObject({ exit: 0, out: expect.stringContaining('0 ready, 0 B of at most 2.0 GiB') });
  });

  it('a machine without git, and a port that is taken, as the doctor sees them', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };
    const bare = await new Promise<string>((resolve) => {
      const child = spawn(process.execPath, [BIN, 'doctor', '--json'], {
        env: { PATH: '/nonexistent', FAIRLEAD_HOME: join(root, 'bare'), FAIRLEAD_PORT: String(port) },
      });
      let out = '';
      child.stdout.on('data', (chunk: Buffer) => void (out += chunk.toString()));
      child.on('close', () => resolve(out));
    });
    taken.close();
    const { ok, checks } = JSON.parse(bare) as { ok: boolean; checks: { about: string; state: string }[] };
    const stateOf = (about: string) => checks.find((one) => one.about === about)?.state;
    expect([ok, stateOf('git'), stateOf('port'), stateOf('daemon')]).toEqual([false, 'blocked', 'blocked', 'warning']);
  });

  it('no daemon, bad settings, unknown ids and unusable repositories', async () => {
    const elsewhere = join(root, 'empty');
    const lost = await run(['status', '--json'], { at: elsewhere });
    expect([lost.exit, JSON.parse(lost.out)]).toEqual([5, expect.objectContaining({ code: 'daemon_not_running' })]);
    mkdirSync(join(elsewhere, 'daemon'), { recursive: true, mode: 0o700 });
    writeFileSync(join(elsewhere, 'daemon', 'config.yaml'), 'prot: 1\n');
    const wrong = await run(['serve', '--json'], { at: elsewhere });
    expect([wrong.exit, JSON.parse(wrong.out)]).toEqual([
      1,
      expect.objectContaining({ code: 'config_invalid', field: 'prot', detail: expect.stringMatching(/did you mean port\?$/) as string }),
    ]);
    expect((await run(['doctor'], { at: elsewhere })).exit).toBe(5);
    expect(await json('step', 'get', 'step_1')).toMatchObject({ code: 'invalid_input', field: 'step_id', exit: 1 });
    expect(await json('add', root)).toMatchObject({ code: 'repository_invalid', exit: 1 });
  });

  it('a daemon that is told to stop ends with exit 0 and leaves no endpoint behind', async () => {
    const { child, ready, ended } = await serve(join(root, 'third'));
    expect(Object.keys(ready).toSorted()).toEqual(['confinement', 'home', 'pid', 'url']);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect((await run(['status', '--json'], { at: join(root, 'third') })).exit).toBe(5);
  });
});
