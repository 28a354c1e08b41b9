import { describe, expect, it } from 'vitest';
import { parseSource, readSources } from './rules/source-files.ts';
import { allPaths, tidyFaults, treeFaults } from './rules/tidy.ts';

describe('the code rules', () => {
  it('hold for every file', () => {
    const files = readSources(process.cwd());
    expect(files.length).toBeGreaterThan(30);
    expect(tidyFaults(files)).toEqual([]);
  });

  it('hold for the tree', () => {
    expect(treeFaults(allPaths(process.cwd()))).toEqual([]);
  });
});

const note = ['TO', 'DO'].join('');
const lines = (count: number, line: string) => Array.from({ length: count }, () => line).join('\n');

describe('the code rules can fail', () => {
  it.each([
    ['a long file', 'daemon/src/core/step.ts', lines(401, 'void 0;'), /401 lines/],
    ['a long function', 'daemon/src/core/step.ts', `export const f = () => {\n${lines(70, 'void 0;')}\n};`, /function of 72 lines/],
    [
      'a long factory',
      'daemon/src/core/step.ts',
      `export const f = () => {\n${lines(30, `const g = () => {\n${lines(8, 'void 0;')}\n};`)}\n};`,
      /factory of 302 lines/,
    ],
    ['a drawer', 'daemon/src/core/utils.ts', 'export const x = 1;', /drawer/],
    ['a drawer folder', 'daemon/src/helpers/step.ts', 'export const x = 1;', /drawer/],
    ['an index file', 'daemon/src/core/index.ts', 'export const x = 1;', /drawer/],
    ['camel case', 'daemon/src/core/stepTable.ts', 'export const x = 1;', /kebab-case/],
    ['a default export', 'daemon/src/core/step.ts', 'export default 1;', /default export/],
    ['a barrel', 'daemon/src/core/step.ts', "export { a } from './a.ts';", /only re-exports/],
    ['export *', 'daemon/src/core/step.ts', "export * from './a.ts';\nexport const x = 1;", /exports \*/],
    ['any', 'daemon/src/core/step.ts', 'export const x = (y: any) => y;', /step\.ts:1: uses any/],
    ['an enum', 'daemon/src/core/step.ts', 'enum A { B }', /enum/],
    ['a parameter property', 'daemon/src/core/step.ts', 'class A { constructor(private readonly b: string) {} }', /parameter property/],
    ['a note to self', 'daemon/src/core/step.ts', `export const x = 1; // ${note}: more`, /step\.ts:1: has a/],
  ])('%s', (_, path, text, fault) => {
    expect(tidyFaults([parseSource(path, text)]).join('\n')).toMatch(fault);
  });

  it('a crowded kit', () => {
    expect(treeFaults(Array.from({ length: 13 }, (_, at) => `shared/src/kit/a${at}.ts`))[0]).toMatch(/13 files/);
  });

  it('and let a good file pass', () => {
    expect(tidyFaults([parseSource('daemon/src/core/step.ts', "import { a } from './a.ts';\nexport const b = a;\n")])).toEqual([]);
  });
});
