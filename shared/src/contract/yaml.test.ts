import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { FairleadError } from './errors.ts';
import { parseStrictYaml } from './yaml.ts';

const ruleIn = (text: string, aliases?: number): string => {
  try {
    parseStrictYaml(text, aliases === undefined ? {} : { aliases });
  } catch (error) {
    if (error instanceof FairleadError && error.code === 'invalid_input') return error.context.rule!;
    throw error;
  }
  return 'accepted';
};

/** DESIGN, section 2: strict at every boundary. A file that the owner signs off by eye must be read as it looks. */
describe('parseStrictYaml', () => {
  it.each([
    ['a name twice', 'a: 1\na: 2\n', /unique/],
    ['a name twice, once in quotes', 'a: 1\n"a": 2\n', /unique/],
    ['a number and a text that are the same name', '1: a\n"1": b\n', /text for every key/],
    ['true and a text that are the same name', 'true: a\n"true": b\n', /text for every key/],
    ['a list as a name', '? [a]\n: 1\n', /text for every key/],
    ['no name', '? \n: 1\n', /text for every key/],
    ['an alias as a name', 'a: &x b\n*x : 1\n', /text for every key/],
    ['__proto__', '__proto__: {admin: true}\n', /__proto__/],
    ['__proto__, deep', 'a: [{"__proto__": 1}]\n', /__proto__/],
    ['2^53 + 1', 'a: 9007199254740993\n', /2\^53/],
    ['2^53 + 1 in another base', 'a: 0x20000000000001\n', /2\^53/],
    ['a number without end', 'a: .inf\n', /finite/],
    ['a number out of range', 'a: 1e400\n', /finite/],
    ['no number', 'a: .nan\n', /finite/],
    ['depth 33', `${'['.repeat(33)}${']'.repeat(33)}`, /deeper/],
    ['depth 200,000', '['.repeat(200_000), /deeper/],
    ['depth 200,000 of lists in lists', '- '.repeat(200_000), /deeper/],
    ['depth 200,000 of names', '? '.repeat(200_000), /deeper/],
    ['depth 200,000 of mappings', '{a: '.repeat(200_000), /deeper/],
    ['depth 1,000 by indentation', Array.from({ length: 1000 }, (_, at) => `${' '.repeat(at)}a:`).join('\n'), /deeper/],
    ['half a surrogate pair', 'a: "\\ud800"\n', /surrogate/],
    ['half a surrogate pair as a name', '"\\udc00": 1\n', /surrogate/],
    ['bytes', 'a: !!binary aGk=\n', /tags/],
    ['a tag of its own', 'a: !run [id]\n', /tags|unique/],
    ['an old YAML, in which no is false', '%YAML 1.1\n---\na: no\n', /1\.2/],
    ['two documents', 'a: 1\n---\nb: 2\n', /unique/],
    ['an alias', 'a: &x [1]\nb: *x\n', /aliases/],
  ])('refuses %s', (_, text, rule) => {
    expect(ruleIn(text)).toMatch(rule);
  });

  it('follows as many aliases as it is told, and leaves a merge a name like any other', () => {
    expect(parseStrictYaml('a: &x [1]\nb: *x\n', { aliases: 20 })).toEqual({ a: [1], b: [1] });
    const bomb = Array.from(
      { length: 12 },
      (_, at) =>
        `a${at}: &a${at} [${
          at === 0
            ? '1'
            : Array(9)
                .fill(`*a${at - 1}`)
                .join(',')
        }]`,
    );
    expect(ruleIn(bomb.join('\n'), 20)).toMatch(/aliases/);
    expect(parseStrictYaml('<<: {a: 1}\n')).toEqual({ '<<': { a: 1 } });
  });

  it('says the line of what does not fit', () => {
    expect(() => parseStrictYaml('a: 1\nb: [\n')).toThrow(expect.objectContaining({ message: expect.stringMatching(/line \d/) }));
    expect(() => parseStrictYaml('a: 1\n\na: 2\n')).toThrow(
      expect.objectContaining({ message: expect.stringContaining('line 3, column 1') }),
    );
  });

  it('takes brackets that are text, as many as there are', () => {
    const lines = Array.from({ length: 2000 }, () => '  +if (x) {[ - - ? [');
    expect(parseStrictYaml(`patch: |\n${lines.join('\n')}\nb: "${'['.repeat(500)}"\nc: a${'['.repeat(500)}\n`)).toMatchObject({
      b: '['.repeat(500),
      c: `a${'['.repeat(500)}`,
    });
  });

  it('takes what JSON may nest, written in any way', () => {
    for (const text of [
      '['.repeat(32) + ']'.repeat(32),
      '- '.repeat(31) + 'x',
      Array.from({ length: 32 }, (_, at) => `${' '.repeat(2 * at)}a:`).join('\n'),
    ])
      expect(ruleIn(text)).toBe('accepted');
  });

  it('reads an empty document as nothing', () => {
    expect([parseStrictYaml(''), parseStrictYaml('# nothing\n'), parseStrictYaml('null')]).toEqual([null, null, null]);
  });

  it('reads every value of JSON as it was written', () => {
    const plain = fc
      .jsonValue({ maxDepth: 4 })
      .filter((value) => !/__proto__|\\ud[89a-f]|[0-9]{16}|e[+-]|:-0\b/i.test(JSON.stringify(value)));
    fc.assert(
      fc.property(plain, (value) => {
        const expected: unknown = JSON.parse(JSON.stringify(value));
        expect(parseStrictYaml(JSON.stringify(value))).toEqual(expected);
        expect(parseStrictYaml(stringify(value, { aliasDuplicateObjects: false }))).toEqual(expected);
      }),
    );
  });
});
