import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { systemClock } from '@fairlead/shared/kit/clock';
import { applyPatch } from './apply-patch.ts';
import { makeCommit } from './commit.ts';
import { readDifference } from './difference.ts';
import { readPolicyFile } from './policy-file.ts';
import { scratch, storeOf, type Scratch } from './scratch.fixture.ts';
import { ATTEMPTS, syncStore } from './store.ts';

/**
 * What git costs in one `patch` step, beside a bare `git worktree add` + apply + commit + remove on the same repository: medians of
 * interleaved pairs. `patch-step.test.ts` runs a short form of it.
 */
export interface PatchStepFigure {
  readonly ours_ms: number;
  readonly bare_ms: number;
  readonly ratio: number;
  /** Medians of the parts of ours. */
  readonly parts: Readonly<Record<string, number>>;
}

const MAIN = 'refs/heads/main';

const fill = (repo: Scratch, files: number): void => {
  for (let at = 0; at < files; at++) repo.write(`src/d${at % 100}/f${at}.ts`, `export const value${at} = ${at};\n// line two of ${at}\n`);
  repo.write('.fairlead/project.yaml', 'version: 1\n');
};

const patchOf = (at: number): Buffer =>
  Buffer.from(
    `diff --git a/src/d7/f7.ts b/src/d7/f7.ts\n--- a/src/d7/f7.ts\n+++ b/src/d7/f7.ts\n@@ -1,2 +1,2 @@\n-export const value7 = 7;\n+export const value7 = ${1000 + at};\n // line two of 7\n`,
  );

const bare = (repo: Scratch, at: number): number => {
  const started = systemClock.monotonic();
  const place = join(repo.folder, `wt-${at}`);
  const file = join(repo.folder, 'one.patch');
  writeFileSync(file, patchOf(at));
  repo.git('worktree', 'add', '-q', '-b', `wt-${at}`, place, 'main');
  repo.git('-C', place, 'apply', '--index', file);
  repo.git('-C', place, 'commit', '-q', '-m', 'change');
  repo.git('worktree', 'remove', '--force', place);
  return systemClock.monotonic() - started;
};

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

export const measurePatchStep = async ({
  files = 5000,
  pairs = 15,
  under = existsSync('/dev/shm') ? '/dev/shm' : tmpdir(),
} = {}): Promise<PatchStepFigure> => {
  const repo = scratch({ under });
  try {
    fill(repo, files);
    repo.commit('base');
    const { store, facts } = await storeOf(repo);
    const parts: Record<string, number[]> = {};
    const ours: number[] = [];
    const theirs: number[] = [];
    const timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
      const started = systemClock.monotonic();
      const value = await work();
      (parts[name] ??= []).push(systemClock.monotonic() - started);
      return value;
    };
    for (let at = 0; at < pairs; at++) {
      theirs.push(bare(repo, at));
      const started = systemClock.monotonic();
      const base = (await timed('sync', () => syncStore(store, facts, [MAIN]))).get(MAIN)!;
      await timed('policy', () => readPolicyFile(store, base));
      const tree = await timed('apply', () => applyPatch(store, base, patchOf(at)));
      await timed('difference', () => readDifference(store, base, tree, () => undefined));
      await timed('commit', () =>
        makeCommit(store, { tree, parents: [base], title: 'change', trailers: [['Fairlead-Step', 'x']], at, keep: `${ATTEMPTS}att_${at}` }),
      );
      ours.push(systemClock.monotonic() - started);
    }
    const medians = Object.fromEntries(Object.entries(parts).map(([name, values]) => [name, median(values)]));
    return { ours_ms: median(ours), bare_ms: median(theirs), ratio: median(ours.map((value, at) => value / theirs[at]!)), parts: medians };
  } finally {
    repo.remove();
  }
};
