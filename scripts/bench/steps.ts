import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeRepository } from '@fairlead/e2e/rig/repositories';
import { closeOnSignal, raiseStack } from '@fairlead/e2e/rig/stack';
import { figureOf, inPairs, type Figure, type Limit } from './figures.ts';

const FILES = 5000;
const WARM_UP = 2;
const run = promisify(execFile);

const fileName = (at: number): string => `src/folder-${at % 100}/file-${at}.txt`;
const fileText = (at: number): string =>
  `${Array.from({ length: 60 }, (_, line) => `line ${line} of file ${at}, long enough to look like code in a real project`).join('\n')}\n`;

/** A repository of 5,000 files, 20 MB, whose policy declares no validations and opens no gate for a local task. */
const manyFiles = (path: string): string => {
  const files = Object.fromEntries(Array.from({ length: FILES }, (_, at) => [fileName(at), fileText(at)]));
  return makeRepository(path, { ...files, '.fairlead/project.yaml': 'version: 1\ngates: { when: [protected] }\n' });
};

/** A patch that changes one line of one file, another file each time. */
const patchFor = (at: number): string => {
  const file = (at * 37) % FILES;
  const name = fileName(file);
  const line = (text: string, of: number) => `${text}line ${of} of file ${file}, long enough to look like code in a real project\n`;
  return `diff --git a/${name} b/${name}\n--- a/${name}\n+++ b/${name}\n@@ -1,4 +1,4 @@\n${line(' ', 0)}${line('-', 1)}+changed by ${randomUUID()}\n${line(' ', 2)}${line(' ', 3)}`;
};

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const started = performance.now();
  await work();
  return performance.now() - started;
};

/** What anyone would do by hand: a worktree, the patch, a commit, the worktree gone. */
const bareGit = async (repo: string, folder: string, at: number): Promise<number> => {
  const [tree, patch] = [join(folder, `bare-${at}`), join(folder, `bare-${at}.patch`)];
  writeFileSync(patch, patchFor(at));
  const env = { PATH: process.env['PATH'], HOME: folder, GIT_CONFIG_NOSYSTEM: '1' };
  const git = (cwd: string, ...args: string[]) =>
    run('git', ['-c', 'user.name=Bench', '-c', 'user.email=bench@example.invalid', ...args], { cwd, env });
  return timed(async () => {
    await git(repo, 'worktree', 'add', '-q', '--detach', tree);
    await git(tree, 'apply', '--index', patch);
    await git(tree, 'commit', '-q', '-m', 'Change');
    await git(repo, 'worktree', 'remove', '--force', tree);
  });
};

/** A patch step without validations from submission to its end, on a repository of 5,000 files in the given folder. */
export const measureSteps = async (name: string, base: string, pairs: number, limit: Limit): Promise<Figure> => {
  const stack = await raiseStack({ base });
  closeOnSignal(stack);
  try {
    const repo = manyFiles(join(stack.home, 'projects', 'many'));
    const { id } = await stack.operator.call('add_instance', { path: repo }, { idempotencyKey: randomUUID() });
    const run_ = await stack.operator.call('start_run', { instance_id: id, title: 'Bench' }, { idempotencyKey: randomUUID() });
    const ours = (at: number) =>
      timed(async () => {
        const task = { title: `Change ${at}`, patch: patchFor(at), executor: 'patch' };
        const { id: stepId } = await stack.operator.call('submit_task', { run_id: run_.id, task }, { idempotencyKey: randomUUID() });
        for (let cursor: string | undefined; ;) {
          const { step, next_cursor } = await stack.operator.call('wait_step', {
            step_id: stepId,
            ...(cursor !== undefined && { cursor }),
          });
          if (step.state === 'completed_with_warnings') return;
          if (step.ended || step.state === 'needs_approval') throw new Error(`The step is ${step.state}: ${step.reason?.message ?? ''}`);
          cursor = next_cursor;
        }
      });
    const baseline = (at: number) => bareGit(repo, stack.home, at);
    await inPairs(
      WARM_UP,
      (at) => ours(at + 1000),
      (at) => baseline(at + 1000),
    );
    return figureOf(name, 'ms', await inPairs(pairs, ours, baseline), limit);
  } finally {
    await stack.close();
  }
};
