import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A real repository in a temporary folder, as its owner would have it. */
export interface TestRepository {
  readonly path: string;
  git(...args: string[]): string;
  write(files: Readonly<Record<string, string>>): void;
  /** Commits everything in the checkout and answers the commit. */
  commit(message: string, files?: Readonly<Record<string, string>>): string;
  tip(ref?: string): string;
  read(path: string): string;
  /** The diff that turns the committed state into these files; the checkout is left as it was. */
  patch(files: Readonly<Record<string, string>>): string;
  remove(): void;
}

const identity = ['-c', 'user.name=Owner', '-c', 'user.email=owner@example.org', '-c', 'commit.gpgSign=false'];

/** @param parent a folder to make it in; default: a fresh one under the system's temporary folder */
export const testRepository = (
  files: Readonly<Record<string, string>>,
  parent = mkdtempSync(join(tmpdir(), 'fairlead-repo-')),
): TestRepository => {
  const path = join(parent, 'project');
  mkdirSync(path, { recursive: true });
  const git = (...args: string[]): string =>
    execFileSync('git', [...identity, ...args], {
      cwd: path,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' },
      maxBuffer: 64 * 1024 * 1024,
    }).trimEnd();
  const write = (content: Readonly<Record<string, string>>): void => {
    for (const [name, text] of Object.entries(content)) {
      mkdirSync(dirname(join(path, name)), { recursive: true });
      writeFileSync(join(path, name), text);
    }
  };
  const commit = (message: string, content: Readonly<Record<string, string>> = {}): string => {
    write(content);
    git('add', '-A');
    git('commit', '-q', '--allow-empty', '-m', message);
    return git('rev-parse', 'HEAD');
  };
  git('init', '-q', '-b', 'main');
  commit('First commit', files);
  return {
    path,
    git,
    write,
    commit,
    tip: (ref = 'refs/heads/main') => git('rev-parse', '--verify', ref),
    read: (name) => readFileSync(join(path, name), 'utf8'),
    patch(content) {
      write(content);
      git('add', '-A');
      const diff = `${git('diff', '--cached', '--binary')}\n`;
      git('reset', '-q', '--hard');
      return diff;
    },
    remove: () => rmSync(parent, { recursive: true, force: true }),
  };
};
