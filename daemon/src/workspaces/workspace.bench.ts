import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { systemClock } from '@fairlead/shared/kit/clock';
import { scratch, storeOf, type Scratch } from '../git/scratch.fixture.ts';
import { syncStore, type Store } from '../git/store.ts';
import { createWorkspaces, type Workspace, type Workspaces } from './workspaces.ts';

const MAIN = 'refs/heads/main';
/** Files that differ between the commit that the pool holds and the base that is asked for. */
const DIFFERING = 20;
const FOLDERS = 1;

const nameOf = (at: number): string => `src/folder-${at % 100}/file-${at}.txt`;
const textOf = (at: number, round: number): string =>
  `${Array.from({ length: 60 }, (_, line) => `line ${line} of file ${at}, long enough to look like code in a real project`).join('\n')}\nround ${round}\n`;

const write = (repo: Scratch, at: number, round: number): void => {
  const path = join(repo.path, nameOf(at));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, textOf(at, round));
};

const timed = async (work: () => unknown): Promise<number> => {
  const started = systemClock.monotonic();
  await work();
  return systemClock.monotonic() - started;
};

const filled = async (workspaces: Workspaces, store: Store): Promise<void> => {
  const until = systemClock.monotonic() + 120_000;
  while (workspaces.state().pool.stores.find((one) => one.store === store.folder)?.ready !== FOLDERS) {
    if (systemClock.monotonic() > until) throw new Error('the pool does not fill');
    await systemClock.sleep(20);
  }
};

/** What a workspace of an agent costs, in ms: ours is whole, with its private `.git`; the baseline is a bare `git worktree add`. */
export interface WorkspacePair {
  readonly pooled: number;
  /** Without a pool. */
  readonly cold: number;
  readonly worktree: number;
}

/**
 * Interleaved pairs on one repository, which gets a commit before each, so that the pool is always behind. The pool fills between the
 * pairs and never during one.
 * @param folder where everything is made; default: a temporary folder
 */
export const workspaceBench = async ({ pairs = 7, files = 5000, folder = tmpdir() } = {}): Promise<readonly WorkspacePair[]> => {
  const home = mkdtempSync(join(folder, 'fairlead-workspace-'));
  const repo = scratch({ under: home });
  let measuring = false;
  const workspaces = createWorkspaces(join(home, 'work'), {
    root: join(home, 'pool'),
    folders: FOLDERS,
    disk: 1024 * 1024 * 1024,
    paused: () => measuring,
  });
  const unpooled = createWorkspaces(join(home, 'unpooled'));
  try {
    for (let at = 0; at < files; at++) write(repo, at, 0);
    const base = repo.commit('base');
    const { store, facts } = await storeOf(repo);
    const agent = (commit: string, name: string, of: Workspaces): Promise<Workspace> =>
      of.create({ name, store, commit, private_git: 'bubblewrap' });
    const refill = async (commit: string): Promise<void> => {
      await workspaces.release(await agent(commit, 'refill', workspaces));
      await filled(workspaces, store);
    };
    await refill(base);
    const measured: WorkspacePair[] = [];
    for (let round = 0; round <= pairs; round++) {
      for (let at = 0; at < DIFFERING; at++) write(repo, (round * 997 + at * 37) % files, round + 1);
      const commit = repo.commit(`round ${round}`);
      await syncStore(store, facts, [MAIN]);
      const tree = join(home, `tree-${round}`);
      const works = {
        pooled: () => agent(commit, 'pooled', workspaces),
        cold: () => agent(commit, 'cold', unpooled),
        worktree: () => repo.git('worktree', 'add', '-q', '--detach', tree, commit),
      };
      const names = Object.keys(works) as (keyof typeof works)[];
      const times: Partial<Record<keyof typeof works, number>> = {};
      measuring = true;
      for (const name of round % 2 === 0 ? names : names.toReversed()) times[name] = await timed(works[name]);
      measuring = false;
      // The first round warms up.
      if (round > 0) measured.push(times as WorkspacePair);
      await Promise.all([workspaces.release({ name: 'pooled' }), unpooled.release({ name: 'cold' })]);
      repo.git('worktree', 'remove', '--force', tree);
      await refill(commit);
    }
    return measured;
  } finally {
    await workspaces.close();
    repo.remove();
    rmSync(home, { recursive: true, force: true });
  }
};
