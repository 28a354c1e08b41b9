import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { Pattern } from '@fairlead/shared/contract/task';
import { compilePattern } from './glob.ts';

const matchesPattern = (pattern: string, path: string): boolean => compilePattern(pattern)(path);

/** The same meaning as a regular expression: slow and unsafe, so only a test may. */
const oracle = (pattern: string): RegExp => {
  const names = (pattern.endsWith('/') ? `${pattern}**` : pattern).split('/');
  const name = (text: string) =>
    Array.from(text, (c) => (c === '*' ? '[^/]*' : c === '?' ? '[^/]' : c.replace(/[.+^$()|\\{}[\]]/g, '\\$&'))).join('');
  let source = '';
  names.forEach((part, index) => {
    const last = index === names.length - 1;
    if (part === '**') source += last ? '[^/]*(?:/[^/]*)*' : '(?:[^/]*/)*';
    else source += name(part.replace(/\*+/g, '*')) + (last ? '' : '/');
  });
  return new RegExp(`^${source}$`, 's');
};

const letters = fc.constantFrom('a', 'b', '.', 'é');
const pathName = fc.array(letters, { minLength: 1, maxLength: 5 }).map((all) => all.join(''));
const path = fc.array(pathName, { minLength: 1, maxLength: 5 }).map((all) => all.join('/'));
const patternName = fc.oneof(
  fc.array(fc.oneof(letters, fc.constantFrom('*', '?')), { minLength: 1, maxLength: 5 }).map((all) => all.join('')),
  fc.constant('**'),
);
const pattern = fc.array(patternName, { minLength: 1, maxLength: 6 }).map((all) => all.join('/'));

describe('patterns', () => {
  it.each([
    ['src/**', 'src/a', true],
    ['src/**', 'src/a/b/c.ts', true],
    ['src/**', 'src', false],
    ['src/**', 'srcs/a', false],
    ['src/', 'src/a/b', true],
    ['src/', 'src', false],
    ['**', 'a', true],
    ['**', 'a/b', true],
    ['**/a', 'a', true],
    ['**/a', 'x/y/a', true],
    ['**/a', 'x/ya', false],
    ['**/test/**', 'test/a', true],
    ['**/test/**', 'x/test/a', true],
    ['**/test/**', 'x/test', false],
    ['a/**/b', 'a/b', true],
    ['a/**/b', 'a/x/y/b', true],
    ['a/**/**', 'a', false],
    ['*.ts', 'a.ts', true],
    ['*.ts', 'x/a.ts', false],
    ['a?c', 'abc', true],
    ['a?c', 'a/c', false],
    ['a*c', 'a/c', false],
    ['a**c', 'abbc', true],
    ['a**c', 'a/c', false],
    ['SRC/**', 'src/a', false],
    ['.', 'a', false],
    ['a.ts', 'aXts', false],
    ['+(a)', '+(a)', true],
  ])('%s and %s: %s', (one, other, expected) => expect(matchesPattern(one, other)).toBe(expected));

  it('means the same as the oracle, for 100,000 pairs, each in under 5 ms', () => {
    let slowest = 0;
    let pairs = 0;
    fc.assert(
      fc.property(pattern, fc.array(path, { minLength: 10, maxLength: 10 }), (one, paths) => {
        const expected = oracle(one);
        for (const other of paths) {
          const before = performance.now();
          const answer = matchesPattern(one, other);
          slowest = Math.max(slowest, performance.now() - before);
          if (answer !== expected.test(other)) throw new Error(`${one} against ${other}: ${answer}`);
          pairs++;
        }
      }),
      { numRuns: 10_000 },
    );
    expect(pairs).toBeGreaterThanOrEqual(100_000);
    // The clock also counts what other processes took; the killer patterns below measure the matcher's own time.
    expect(slowest).toBeLessThan(500);
  }, 60_000);

  it('is not frozen by patterns that freeze others', () => {
    const killers: [string, string][] = [
      ['*a*a*a*a*a*ab', 'a'.repeat(60)],
      ['*a*a*a*a*a*a*a*a*a*a*a*a*a*a*ab', 'a'.repeat(4000)],
      [`${'*a'.repeat(255)}b`, 'a'.repeat(4000)],
      [`${'**/'.repeat(60)}b`, `${'a/'.repeat(2000)}a`],
      [`${'**/a/'.repeat(100)}b`, `${'a/'.repeat(2000)}a`],
      [`${'**/*a*/'.repeat(70)}b`, `${'aaaa/'.repeat(800)}a`],
    ];
    for (const [one, other] of killers) {
      expect(Pattern.safeParse(one).success, one.slice(0, 30)).toBe(true);
      const times = Array.from({ length: 5 }, () => {
        const before = performance.now();
        expect(matchesPattern(one, other)).toBe(false);
        return performance.now() - before;
      });
      expect(Math.min(...times), one.slice(0, 30)).toBeLessThan(5);
    }
  });

  it('has no negation: the contract refuses it before the matcher sees it', () => {
    for (const bad of ['!x', '/x', '../x', 'a/../b', 'a//b', '[ab]', '{a,b}', 'a\\b', ''])
      expect(Pattern.safeParse(bad).success, bad).toBe(false);
  });
});
