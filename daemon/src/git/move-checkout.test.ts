import { execFileSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkOut, settleIndex } from './checkout.ts';
import { gitText, runGit } from './git.ts';
import { withEmptyIndex } from './index-file.ts';
import { isUntouched, moveCheckout } from './move-checkout.ts';
import { scratch, storeOf, type Scratch } from './scratch.fixture.ts';
import type { Store } from './store.ts';

let repo: Scratch;
let store: Store;
let blobs: string[];
let count = 0;

const CONTENTS = [
  '',
  'one\n',
  'two\r\nlines\r\n',
  'one\ntwo\n',
  '#!/bin/sh\n',
  '* text eol=crlf\n',
  '*\n',
  '\0binary\xff',
  'x'.repeat(70_000),
  'target',
  '../up',
  '/absolute',
];
const LINK_CONTENTS = [1, 9, 10, 11];
const SUBMODULE = '160000';

beforeAll(async () => {
  repo = scratch();
  repo.write('a.txt', 'a\n');
  repo.commit('first');
  ({ store } = await storeOf(repo));
  blobs = [];
  for (const content of CONTENTS)
    blobs.push(await gitText({ git_dir: store.folder, args: ['hash-object', '-w', '--stdin'], stdin: Buffer.from(content, 'latin1') }));
});
afterAll(() => repo.remove());

/** Names as one character per byte. */
const bytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
const SEGMENTS = [
  'a',
  'b',
  'A',
  'a.txt',
  'c.sh',
  '.hidden',
  '.gitignore',
  'with space',
  'tab\there',
  'new\nline',
  '"quoted"',
  '-dash',
  ':colon',
  '*star',
  '[set]',
  '\\back',
  bytes('é'),
  bytes('e\u0301'),
  bytes('日本'),
  'bytes\xff\xfe',
  'l'.repeat(120),
];

interface Leaf {
  readonly mode: string;
  readonly blob: number;
}
type Node = Leaf | { readonly below: Readonly<Record<string, Node>> };

const leaf: fc.Arbitrary<Leaf> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ mode: fc.constant('100644'), blob: fc.nat({ max: CONTENTS.length - 1 }) }) },
  { weight: 2, arbitrary: fc.record({ mode: fc.constant('100755'), blob: fc.nat({ max: CONTENTS.length - 1 }) }) },
  { weight: 2, arbitrary: fc.record({ mode: fc.constant('120000'), blob: fc.constantFrom(...LINK_CONTENTS) }) },
  { weight: 1, arbitrary: fc.record({ mode: fc.constant(SUBMODULE), blob: fc.nat({ max: CONTENTS.length - 1 }) }) },
);
const NAME = fc.oneof({ weight: 600, arbitrary: fc.constantFrom(...SEGMENTS) }, { weight: 1, arbitrary: fc.constant('.gitattributes') });
const { tree } = fc.letrec<{ tree: { below: Record<string, Node> }; node: Node }>((tie) => ({
  tree: fc.record({ below: fc.dictionary(NAME, tie('node'), { minKeys: 1, maxKeys: 7 }) }),
  node: fc.oneof({ maxDepth: 3, depthSize: 'small' }, { weight: 3, arbitrary: leaf }, { weight: 2, arbitrary: tie('tree') }),
}));

const rowsOf = (node: Node, path = ''): string[] =>
  'below' in node
    ? Object.entries(node.below).flatMap(([name, below]) => rowsOf(below, path === '' ? name : `${path}/${name}`))
    : [`${node.mode} ${blobs[node.blob]}\t${path}\0`];

const treeOf = (node: Node): Promise<string> =>
  withEmptyIndex(store, async (index) => {
    const stdin = Buffer.from(rowsOf(node).join(''), 'latin1');
    await runGit({ git_dir: store.folder, index, args: ['update-index', '-z', '--add', '--index-info'], stdin });
    return gitText({ git_dir: store.folder, index, args: ['write-tree', '--missing-ok'] });
  });

const checkedOut = async (of: string): Promise<{ folder: string; index: string; holds: string }> => {
  const at = join(repo.folder, `work-${count++}`);
  const place = { folder: join(at, 'files'), index: join(at, 'index'), holds: of };
  mkdirSync(place.folder, { recursive: true });
  await checkOut(store, of, place.folder, place.index);
  return place;
};

/** Everything that is in a folder: kinds, modes, contents, targets, and folders with nothing in them too. */
const picture = (folder: string): Record<string, string> => {
  const seen: Record<string, string> = {};
  const walk = (at: Buffer, shown: string): void => {
    for (const name of readdirSync(at, { encoding: 'buffer' })) {
      const path = Buffer.concat([at, Buffer.from('/'), name]);
      const key = `${shown}/${name.toString('latin1')}`;
      const facts = lstatSync(path);
      const mode = (facts.mode & 0o7777).toString(8);
      if (facts.isDirectory()) {
        seen[key] = `folder ${mode}`;
        walk(path, key);
      } else if (facts.isSymbolicLink()) seen[key] = `link ${readlinkSync(path, { encoding: 'latin1' })}`;
      else seen[key] = `file ${mode} ${readFileSync(path).toString('latin1')}`;
    }
  };
  walk(Buffer.from(folder), '');
  return seen;
};

const stages = (index: string): Promise<string> => gitText({ git_dir: store.folder, index, args: ['ls-files', '--stage', '-z'] });
const idle = new AbortController().signal;

describe('a checkout that is moved', () => {
  it('holds to the byte what a cold one would, whatever the two trees are', async () => {
    let moved = 0;
    let tried = 0;
    await fc.assert(
      fc.asyncProperty(tree, tree, async (before, after) => {
        tried += 1;
        const [from, to] = [await treeOf(before), await treeOf(after)];
        const [place, cold] = [await checkedOut(from), await checkedOut(to)];
        if (await moveCheckout(store, place, to)) {
          moved += 1;
          expect(picture(place.folder)).toEqual(picture(cold.folder));
          expect(await stages(place.index)).toBe(await stages(cold.index));
        }
        for (const { folder } of [place, cold]) rmSync(join(folder, '..'), { recursive: true });
      }),
      { numRuns: 30, interruptAfterTimeLimit: 60_000 },
    );
    // Few pairs differ in their attributes; the machine decides how many pairs there is time for.
    expect(moved).toBeGreaterThan(tried / 2);
  }, 120_000);

  it('is made anew where attributes differ, because they reach files that do not', async () => {
    const file: Leaf = { mode: '100644', blob: 1 };
    const from = await treeOf({ below: { 'a.txt': file } });
    const to = await treeOf({ below: { 'a.txt': file, '.gitattributes': { mode: '100644', blob: 5 } } });
    expect(await moveCheckout(store, await checkedOut(from), to)).toBe(false);
    const deep = await treeOf({ below: { 'a.txt': file, d: { below: { '.GitAttributes': file } } } });
    expect(await moveCheckout(store, await checkedOut(from), deep)).toBe(false);
  });

  it('is refused when its commit is no longer known', async () => {
    const place = await checkedOut(await treeOf({ below: { a: { mode: '100644', blob: 1 } } }));
    expect(await moveCheckout(store, { ...place, holds: '1'.repeat(40) }, place.holds)).toBe(false);
  });

  it.each([
    ['a changed file', (at: string) => writeFileSync(join(at, 'a'), 'two\n')],
    ['a changed file of the same length', (at: string) => writeFileSync(join(at, 'a'), 'ONE\n')],
    ['a mode', (at: string) => chmodSync(join(at, 'a'), 0o755)],
    ['a missing file', (at: string) => unlinkSync(join(at, 'd/b'))],
    ['a new file', (at: string) => writeFileSync(join(at, 'd/new'), '')],
    ['a new file that the project ignores', (at: string) => writeFileSync(join(at, 'x.log'), '')],
    ['a repository', (at: string) => execFileSync('git', ['init', '-q', join(at, 'd/sub')], { env: { PATH: process.env['PATH'] } })],
  ])('is found out when somebody left %s in it', async (_what, meddle) => {
    const file: Leaf = { mode: '100644', blob: 1 };
    const of = await treeOf({ below: { a: file, d: { below: { b: file } }, '.gitignore': { mode: '100644', blob: 6 } } });
    const to = await treeOf({ below: { a: file, c: file, d: { below: { b: file } }, '.gitignore': { mode: '100644', blob: 6 } } });
    const check = async (settled: boolean, target: string): Promise<void> => {
      const place = await checkedOut(of);
      if (settled) await settleIndex(place.index, idle);
      expect(await isUntouched(store, place)).toBe(true);
      meddle(place.folder);
      expect(await isUntouched(store, place)).toBe(false);
      expect(await moveCheckout(store, place, target)).toBe(false);
    };
    await Promise.all([check(false, of), check(true, of), check(false, to), check(true, to)]);
  });
});
