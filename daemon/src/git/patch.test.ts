import { afterEach, describe, expect, it } from 'vitest';
import type { FairleadError } from '@fairlead/shared/contract/errors';
import { applyPatch } from './apply-patch.ts';
import { makeCommit } from './commit.ts';
import { readDifference } from './difference.ts';
import { readPolicyFile } from './policy-file.ts';
import { isReachable } from './reachable.ts';
import { scratch, storeOf, type Scratch } from './scratch.fixture.ts';
import { ATTEMPTS, syncStore } from './store.ts';

let repo: Scratch;
afterEach(() => repo?.remove());

const started = async (init: string[] = []) => {
  repo = scratch({ init });
  repo.write('a.txt', 'one\ntwo\nthree\n');
  repo.write('dir/b.txt', 'b\n');
  repo.write('.fairlead/project.yaml', 'version: 1\n');
  const base = repo.commit('first');
  return { base, ...(await storeOf(repo)) };
};

const PATCH = `diff --git a/a.txt b/a.txt
--- a/a.txt
+++ b/a.txt
@@ -1,3 +1,3 @@
 one
-two
+2
 three
diff --git a/new ü.txt b/new ü.txt
new file mode 100644
--- /dev/null
+++ b/new ü.txt
@@ -0,0 +1 @@
+hello
`;

const refusal = async (work: Promise<unknown>): Promise<FairleadError> => {
  try {
    await work;
  } catch (error) {
    return error as FairleadError;
  }
  throw new Error('was not refused');
};

describe.each([['sha1'], ['sha256']])('a patch in a %s store', (format) => {
  it('becomes a tree, a commit and a difference without any checkout', async () => {
    const { base, store, facts } = await started([`--object-format=${format}`]);
    const tree = await applyPatch(store, base, Buffer.from(PATCH));
    const again = await applyPatch(store, base, Buffer.from(PATCH.trimEnd()));
    expect(again).toBe(tree);
    const order = {
      tree,
      parents: [base],
      title: 'A\nchange',
      trailers: [['Fairlead-Step', 'step_x']],
      at: 1_700_000_000_000,
      keep: `${ATTEMPTS}att_1`,
    } as const;
    const commit = await makeCommit(store, order);
    expect(await makeCommit(store, order)).toBe(commit);
    const parts: Buffer[] = [];
    const difference = await readDifference(store, base, commit, (chunk) => void parts.push(chunk));
    expect(difference.entries).toMatchObject([
      { path: 'a.txt', status: 'modified', old_mode: '100644', new_mode: '100644', added: 1, removed: 1, link_target: null },
      { path: 'new ü.txt', status: 'added', old_mode: '000000', added: 1, removed: 0 },
    ]);
    expect([difference.added, difference.removed, difference.collisions]).toEqual([2, 1, []]);
    expect(difference.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect((await readDifference(store, base, tree)).digest).toBe(difference.digest);
    expect(await applyPatch(store, base, Buffer.concat(parts))).toBe(tree);
    expect((await readPolicyFile(store, base))?.toString()).toBe('version: 1\n');
    expect(await isReachable(store, base, [commit])).toBe(true);
    expect(await isReachable(store, commit, [base])).toBe(false);
    expect([...(await syncStore(store, facts, ['refs/heads/main', 'refs/heads/none'])).values()]).toEqual([base]);
    repo.write('c.txt', 'c\n');
    const next = repo.commit('second');
    expect((await syncStore(store, facts, ['refs/heads/main'])).get('refs/heads/main')).toBe(next);
    expect(await isReachable(store, base, [next])).toBe(true);
    expect((await readDifference(store, base, base)).entries).toEqual([]);
  });
});

describe('a patch that is not one well-formed diff', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['is empty', '\n', 'empty'],
    ['has prose before it', `Here you are:\n${PATCH}`, 'text outside'],
    ['has prose after it', `${PATCH}-- \n2.39.5\n`, 'text outside'],
    ['hides a second diff after prose', `${PATCH}thanks\n${PATCH.replaceAll('a.txt', 'dir/b.txt')}`, 'text outside'],
    ['names two files in --- and +++', PATCH.replace('+++ b/a.txt', '+++ b/dir/b.txt'), 'same'],
    ['names two files in diff --git', PATCH.replace('diff --git a/a.txt b/a.txt', 'diff --git a/a.txt b/c.txt'), 'same'],
    [
      'names another file in diff --git than below',
      PATCH.replace('diff --git a/a.txt b/a.txt', 'diff --git a/c.txt b/c.txt'),
      'diff --git line',
    ],
    ['has no prefixes', PATCH.replace('--- a/a.txt', '--- a.txt'), 'begin with a/'],
    ['touches .git', PATCH.replaceAll('new ü.txt', '.git/hooks/pre-commit'), '.git'],
    ['touches .GIT', PATCH.replaceAll('new ü.txt', 'x/.GIT/config'), '.git'],
    ['touches git~1', PATCH.replaceAll('new ü.txt', 'GIT~1/config'), '.git'],
    ['leaves the tree', PATCH.replaceAll('new ü.txt', '../x'), 'inside'],
    ['is absolute', PATCH.replaceAll('new ü.txt', '/etc/x'), 'inside'],
    ['adds a link out of the tree', PATCH.replace('100644', '120000').replace('+hello', '+/etc/shadow'), 'link must not leave'],
    ['adds a link with too many ..', PATCH.replace('100644', '120000').replace('+hello', '+dir/../../x'), 'link must not leave'],
    ['adds a link into .git', PATCH.replace('100644', '120000').replace('+hello', '+.git/config'), 'link must not enter'],
    ['adds a submodule', PATCH.replace('100644', '160000').replace('+hello', `+Subproject commit ${'1'.repeat(40)}`), 'submodules'],
    ['ends in the middle of a hunk', PATCH.replace(' three\n', ''), 'hunk'],
    ['has a lying hunk header', PATCH.replace('-1,3 +1,3', '-1,2 +1,3'), 'hunk'],
    [
      'says binary without content',
      'diff --git a/x.png b/x.png\nnew file mode 100644\nBinary files /dev/null and b/x.png differ\n',
      '--binary',
    ],
    ['renames into .git', 'diff --git a/a.txt b/.git/x\nsimilarity index 100%\nrename from a.txt\nrename to .git/x\n', '.git'],
  ];
  it.each(cases)('%s', async (_, patch, words) => {
    const { base, store } = await started();
    const error = await refusal(applyPatch(store, base, Buffer.from(patch)));
    expect([error.code, error.context.field]).toEqual(['patch_invalid', 'task.patch']);
    expect(error.message).toContain(words);
  });

  it('or does not apply, in the words of git', async () => {
    const { base, store } = await started();
    const stale = await refusal(applyPatch(store, base, Buffer.from(PATCH.replace('-two', '-zwei'))));
    expect(stale.code).toBe('patch_not_applicable');
    expect(stale.message).toContain('patch failed: a.txt:1');
    const missing = await refusal(applyPatch(store, base, Buffer.from(PATCH.replaceAll('a.txt', 'z.txt'))));
    expect(missing.code).toBe('patch_not_applicable');
  });
});

describe('what git diff prints', () => {
  it('applies: renames, modes, deletions, binary files, links, missing line ends, CRLF', async () => {
    const { base, store, facts } = await started();
    repo.git('mv', 'dir/b.txt', 'dir/c d.txt');
    repo.write('crlf.txt', 'x\r\ny\r\n');
    repo.write('bin.dat', Buffer.from([0, 1, 2, 255, 0, 7]));
    repo.write('tail.txt', 'no end');
    repo.git('rm', '-q', 'a.txt');
    repo.git('update-index', '--add', '--cacheinfo', `120000,${repo.git('hash-object', '-w', 'tail.txt')},link`);
    repo.git('add', 'crlf.txt', 'bin.dat', 'tail.txt');
    repo.git('commit', '-qm', 'second');
    const wanted = repo.git('rev-parse', 'HEAD^{tree}');
    for (const how of [
      ['--binary', '-M'],
      ['--binary', '--no-renames'],
      ['--binary', '-M', '--no-prefix', '--src-prefix=a/', '--dst-prefix=b/'],
    ]) {
      const patch = repo.git('diff', ...how, base, 'HEAD');
      expect(await applyPatch(store, base, Buffer.from(`${patch}\n`))).toBe(wanted);
    }
    await syncStore(store, facts, ['refs/heads/main']);
    const difference = await readDifference(store, base, 'refs/heads/none^{tree}'.length > 0 ? wanted : base);
    expect(difference.entries.find(({ path }) => path === 'link')?.link_target).toBe('no end');
    expect(difference.entries.find(({ path }) => path === 'bin.dat')?.added).not.toBeNull();
  });
});
