import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { countCited, evidenceFaults, type Page } from './rules/evidence.ts';
import { listFiles, parseSource, readSources } from './rules/source-files.ts';

const pages = (): Page[] =>
  listFiles(process.cwd())
    .filter((path) => /^docs\/.*\.md$/.test(path))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }));

describe('tests that tables in docs/ cite', () => {
  it('are there under the title that is cited', async ({ annotate }) => {
    const all = pages();
    expect(evidenceFaults(all, readSources(process.cwd()))).toEqual([]);
    const cited = countCited(all);
    expect(cited).toBeGreaterThan(100);
    await annotate(`${cited} cited tests`, 'count');
    // It parses every source, on machines that do much else at the time.
  }, 90_000);
});

const CASES = "import { names } from './rows.ts';\nimport { describe, it } from 'vitest';\n";
const sources = [
  parseSource(
    'a/plain.test.ts',
    `${CASES}describe('whole', () => {\n  it('holds', () => {});\n  it.skip('sleeps', () => {});\n});\nconst x = 'stray';\n`,
  ),
  parseSource('a/each.test.ts', `${CASES}it.each(['first row'])('%s holds', () => {});\n// in a comment\n`),
  parseSource('a/template.hard.ts', 'it(`ends ${how}`, () => {});\n'),
  parseSource('a/rows.ts', "export const names = ['told row'];\n"),
  parseSource('a/unused.ts', "export const names = ['told row'];\n"),
];
const faultsOf = (cell: string) =>
  evidenceFaults([{ path: 'docs/x.md', text: `# X\n\n| a | b |\n|---|---|\n| rule | ${cell} |\n` }], sources);

describe('the rule for cited tests can fail', () => {
  it.each([
    ['a file that is not there', '`a/none.test.ts` "holds"', /docs\/x\.md:5: there is no a\/none\.test\.ts/],
    ['a title that is not there', '`a/plain.test.ts` "does not hold"', /plain\.test\.ts has no "does not hold"/],
    ['the second of two titles', '`a/plain.test.ts` "holds", "is gone"', /has no "is gone"/],
    ['a part of a title', '`a/plain.test.ts` "hold"', /has no "hold"/],
    ['a test that is skipped', '`a/plain.test.ts` "sleeps"', /has no "sleeps"/],
    ['a text that is no title', '`a/plain.test.ts` "stray"', /has no "stray"/],
    ['a comment', '`a/each.test.ts` "in a comment"', /has no/],
    ['no title', 'see `a/plain.test.ts`', /cited without a title/],
    ['a citation in another form', 'a/plain.test.ts "holds"', /cited without a title/],
    ['a citation that is not closed', '`a/plain.test.ts" "holds"', /cited without a title/],
    ['a file that no test runs', '`a/unused.ts` "told row"', /no test runs/],
  ])('%s', (_, cell, fault) => {
    expect(faultsOf(cell).join('\n')).toMatch(fault);
  });

  it.each([
    ['a case and a group', '`a/plain.test.ts` "holds", "whole"'],
    ['a name from a table of cases', '`a/each.test.ts` "first row", "%s holds" · `a/plain.test.ts` "holds"'],
    ['a title with a place in it', '`a/template.hard.ts` "ends ${how}"'],
    ['words of a file that a test imports', '`a/rows.ts` "told row"'],
    ['a file that is only named', '`a/gone.ts`'],
  ])('and lets %s pass', (_, cell) => {
    expect(faultsOf(cell)).toEqual([]);
  });

  it('counts what is cited', () => {
    const text = '| a | `a/b.test.ts` "x", "y" · `a/c.test.ts` "z" |\n`a/d.test.ts` "not in a table"\n';
    expect(countCited([{ path: 'docs/x.md', text }])).toBe(3);
  });
});
