import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { inspectRepository, type RepositoryFacts } from './repository.ts';
import { createStore, type Store } from './store.ts';

/** A user's repository for tests, made with the plain git of a user. */
export interface Scratch {
  readonly folder: string;
  readonly path: string;
  git(...args: string[]): string;
  write(name: string, content: string | Buffer): void;
  commit(message: string): string;
  remove(): void;
}

const USER = {
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  HOME: '/nonexistent',
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.org',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.org',
};

/** Makes an empty repository in a temporary folder. */
export const scratch = (options: { readonly name?: string; readonly init?: readonly string[]; readonly under?: string } = {}): Scratch => {
  const folder = mkdtempSync(join(options.under ?? tmpdir(), 'fairlead-git-'));
  const path = join(folder, options.name ?? 'repo');
  const git = (...args: string[]): string =>
    execFileSync('git', args, {
      cwd: path,
      env: { PATH: process.env['PATH'], ...USER },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 1 << 26,
    }).replace(/\n$/, '');
  mkdirSync(path);
  git('init', '-q', '-b', 'main', ...(options.init ?? []));
  const write = (name: string, content: string | Buffer): void => {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  };
  return {
    folder,
    path,
    git,
    write,
    commit(message) {
      git('add', '-A');
      git('commit', '-q', '--allow-empty', '-m', message);
      return git('rev-parse', 'HEAD');
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
};

/** Inspects a scratch repository and makes a store of its main branch. */
export const storeOf = async (
  repo: Scratch,
  refs: readonly string[] = ['refs/heads/main'],
): Promise<{ facts: RepositoryFacts; store: Store }> => {
  const facts = await inspectRepository(repo.path);
  return { facts, store: await createStore(join(repo.folder, 'stores', 'one.git'), facts, refs) };
};
