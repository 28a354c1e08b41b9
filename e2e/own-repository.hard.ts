import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from './rig/processes.ts';
import { ROOT, script } from './rig/programs.ts';
import { git } from './rig/repositories.ts';

interface Told {
  readonly ok: boolean;
  readonly step: { readonly state: string };
  readonly validations: readonly { readonly name: string; readonly passed: boolean; readonly confined: boolean }[];
  readonly integrated: { readonly from: string; readonly to: string } | null;
}

const PACKAGES = ['', 'shared', 'daemon', 'connector', 'relay', 'e2e', 'scripts'];
const FILE = 'shared/src/kit/backoff.ts';

/** A task of one new line in a real file of ours, as a planner would send it. */
const taskAdding = (folder: string, line: string): string => {
  const before = execFileSync('git', ['show', `HEAD:${FILE}`], { cwd: folder, encoding: 'utf8' });
  writeFileSync(join(folder, FILE), `${before}${line}\n`);
  const patch = git(folder, 'diff');
  git(folder, 'checkout', '--quiet', '--', FILE);
  const task = join(folder, '..', 'task.json');
  writeFileSync(task, JSON.stringify({ title: `Add to ${FILE}`, executor: 'patch', patch: `${patch}\n` }));
  return task;
};

/** DESIGN 4: what lands was judged by the owner's own checks. Here the owner is us, and the checks are those of this repository. */
describe('Fairlead changes Fairlead, in a clone of its own repository', () => {
  let folder: string;
  let clone: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead-own-'));
    clone = join(folder, 'fairlead');
    execFileSync('git', ['clone', '--quiet', ROOT, clone]);
    // The checks mount the dependencies of the owner's checkout, which a fresh clone does not have yet.
    for (const name of PACKAGES)
      cpSync(join(ROOT, name, 'node_modules'), join(clone, name, 'node_modules'), { recursive: true, verbatimSymlinks: true });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const demo = async (line: string): Promise<Told> => {
    const { stdout } = await runCommand({
      name: 'demo',
      argv: [...script('demo'), '--json', '--repo', clone, '--task', taskAdding(clone, line)],
      timeoutMs: 600_000,
    });
    return JSON.parse(stdout) as Told;
  };

  it('lands a commit that its typecheck, lint and unit tests pass', async () => {
    const before = git(clone, 'rev-parse', 'HEAD');
    const told = await demo(
      '\n/** Longer than this nobody waits for a reconnection. */\nconst LONGEST_MS = 60_000;\nexport const isLong = (ms: number): boolean => ms > LONGEST_MS;',
    );
    expect(told, JSON.stringify(told)).toMatchObject({
      ok: true,
      step: { state: 'completed' },
      integrated: { from: before, to: git(clone, 'rev-parse', 'HEAD') },
    });
    expect(told.validations.map(({ name, passed }) => [name, passed])).toEqual([
      ['typecheck', true],
      ['lint', true],
      ['unit', true],
    ]);
    expect(git(clone, 'status', '--porcelain')).toBe('');
  });

  it.each([
    ['typecheck', "export const wrong: number = 'a string';"],
    ['lint', 'export default 1;'],
    ['unit', "export { createClient } from '../wire/frames.ts';"],
  ])('lands nothing that its %s refuses', async (check, line) => {
    const before = git(clone, 'rev-parse', 'HEAD');
    const told = await demo(line);
    expect(told, JSON.stringify(told)).toMatchObject({ ok: false, step: { state: 'failed_validation' }, integrated: null });
    expect(told.validations.find(({ name }) => name === check)).toMatchObject({ passed: false });
    expect(git(clone, 'rev-parse', 'HEAD')).toBe(before);
  });
});
