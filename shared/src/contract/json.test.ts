import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairleadError } from './errors.ts';
import { canonicalJson, parseStrictJson, type Json } from './json.ts';

const codeIn = (run: () => unknown): string => {
  try {
    run();
    return 'accepted';
  } catch (error) {
    if (!(error instanceof FairleadError)) throw error;
    return error.code;
  }
};

/** JSON values that the strict parser accepts. */
const values = fc.jsonValue({ maxDepth: 8 }).filter((value) => {
  const text = JSON.stringify(value);
  return text.isWellFormed() && !text.includes('__proto__') && !/\\ud[89a-f]/i.test(text) && !/[0-9]{16}|e\+/.test(text);
}) as fc.Arbitrary<Json>;

describe('parseStrictJson', () => {
  it.each([
    ['a member twice', '{"op":"get_step","op":"approve_gate"}'],
    ['a member twice, once escaped', '{"op":1,"\\u006fp":2}'],
    ['a member twice, deep', '[{"a":{"b":1,"c":[],"b":2}}]'],
    ['an empty member twice', '{"":1,"":2}'],
    ['2^53 + 1', '9007199254740993'],
    ['-2^53', '{"a":-9007199254740992}'],
    ['2^53 + 1 as a decimal', '[9007199254740993.0]'],
    ['a large exponent', '[1e300]'],
    ['infinity', '1e400'],
    ['__proto__', '{"__proto__":{"admin":true}}'],
    ['__proto__, escaped', '{"\\u005f_proto__":1}'],
    ['__proto__, deep', '[{"a":[{"__proto__":1}]}]'],
    ['depth 33', '['.repeat(33) + ']'.repeat(33)],
    ['depth 33 of objects', '{"a":'.repeat(33) + '1' + '}'.repeat(33)],
    ['a lone high surrogate', '"\\ud800"'],
    ['a lone low surrogate', '{"a":"x\\udc00"}'],
    ['a lone surrogate as a member', '{"\\ud800":1}'],
    ['a lone surrogate, not escaped', '"\ud800"'],
    ['surrogates in the wrong order', '"\\udc00\\ud800"'],
    ['nothing', ''],
    ['two documents', '{} {}'],
    ['a trailing comma', '[1,]'],
    ['a comment', '{}//'],
    ['NaN', 'NaN'],
    ['a byte order mark', '\ufeff{}'],
    ['a raw control character', '"\n"'],
  ])('refuses %s', (_, text) => {
    expect(codeIn(() => parseStrictJson(text))).toBe('malformed_json');
  });

  it.each([
    ['the same member in two objects', '[{"a":1},{"a":2}]', [{ a: 1 }, { a: 2 }]],
    ['a member named as its own value', '{"a":"a","b":["a","b"]}', { a: 'a', b: ['a', 'b'] }],
    ['__proto__ as a value', '{"a":"__proto__"}', { a: '__proto__' }],
    ['depth 32', '['.repeat(32) + ']'.repeat(32), JSON.parse('['.repeat(32) + ']'.repeat(32))],
    ['2^53 - 1', '9007199254740991', 9007199254740991],
    ['a surrogate pair', '"\\ud83d\\udc4d"', '👍'],
    ['braces, colons and quotes in strings', '{"a{\\"}":"[,:\\\\"}', { 'a{"}': '[,:\\' }],
    ['digits in strings', '{"a":"9007199254740993"}', { a: '9007199254740993' }],
    ['white space', ' \n\t{ "a" :\r 1 } ', { a: 1 }],
    ['small numbers', '[1e-400,-0.5,1.5e3]', [0, -0.5, 1500]],
    ['constructor and prototype', '{"constructor":1,"prototype":2}', { constructor: 1, prototype: 2 }],
  ])('accepts %s', (_, text, value) => {
    expect(parseStrictJson(text)).toEqual(value);
  });

  it('reads every ordinary document as JSON.parse does, however it is written', () => {
    fc.assert(
      fc.property(values, fc.constantFrom(undefined, 1, '\t'), (value, space) => {
        const text = JSON.stringify(value, undefined, space);
        expect(parseStrictJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('accepts nothing that JSON.parse refuses, and changes nothing of what it accepts', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"b"',
      '"\\""',
      '"\\\\"',
      '"__proto__"',
      '1',
      '-2.5e1',
      'true',
      'null',
      ' ',
      '"',
      '\\',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 14 }), (parts) => {
        const text = parts.join('');
        let expected: unknown;
        let valid = true;
        try {
          expected = JSON.parse(text);
        } catch {
          valid = false;
        }
        const verdict = codeIn(() => parseStrictJson(text));
        if (!valid) expect(verdict).toBe('malformed_json');
        else if (verdict === 'accepted') expect(parseStrictJson(text)).toEqual(expected);
      }),
      { numRuns: 3000 },
    );
  });

  it('finds a repeated member wherever it stands, and however it is escaped', () => {
    const escape = (key: string) => Array.from(key, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z]{0,5}$/), values, values, fc.boolean(), fc.nat(5), (key, one, two, escaped, depth) => {
        const members = `{"${key}":${JSON.stringify(one)},"${escaped ? escape(key) : key}":${JSON.stringify(two)}}`;
        expect(codeIn(() => parseStrictJson('['.repeat(depth) + members + ']'.repeat(depth)))).toBe('malformed_json');
      }),
    );
  });

  it('takes time in proportion to the text, for hostile shapes too', () => {
    const shapes = [
      `"${'\\\\'.repeat(500_000)}"`,
      `[${'"",'.repeat(300_000)}1]`,
      `{${Array.from({ length: 50_000 }, (_, index) => `"k${index}":${index}`).join(',')}}`,
      `"${'\\u0041'.repeat(160_000)}"`,
      `[${'1,'.repeat(500_000)}1]`,
    ];
    for (const text of shapes) {
      const start = performance.now();
      parseStrictJson(text);
      expect(performance.now() - start, text.slice(0, 20)).toBeLessThan(1500);
    }
  });
});

describe('canonicalJson', () => {
  it('writes the example of RFC 8785', () => {
    const value = JSON.parse(
      '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
    ) as Json;
    expect(canonicalJson(value)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  it('sorts members by UTF-16 code units, as RFC 8785 shows', () => {
    const keys = ['\u20ac', '\r', '\ufb33', '1', '\u{1f600}', '\u0080', '\u00f6'];
    const text = canonicalJson(Object.fromEntries(keys.map((key) => [key, 0])));
    expect(Object.keys(JSON.parse(text) as object).filter((key) => key !== '1')).toEqual([
      '\r',
      '\u0080',
      '\u00f6',
      '\u20ac',
      '\u{1f600}',
      '\ufb33',
    ]);
    expect(text.indexOf('"1"')).toBeGreaterThan(text.indexOf('"\\r"'));
  });

  it('says the same for the same value, in whatever order it was put together, and reads back as it', () => {
    const shuffled = (value: Json): Json => {
      if (Array.isArray(value)) return value.map(shuffled);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .toReversed()
          .map(([key, member]) => [key, shuffled(member)]),
      );
    };
    fc.assert(
      fc.property(values, (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(shuffled(value))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(canonicalJson(parseStrictJson(text))).toBe(text);
      }),
    );
  });

  it('says different things for different values', () => {
    fc.assert(
      fc.property(values, values, (one, two) => {
        const same = JSON.stringify(one) === JSON.stringify(two);
        if (canonicalJson(one) === canonicalJson(two)) expect(one).toEqual(two);
        else expect(same).toBe(false);
      }),
    );
  });

  it('leaves out members that are undefined, and refuses what is no JSON', () => {
    expect(canonicalJson({ a: undefined, b: -0 })).toBe('{"b":0}');
    for (const value of ['\ud800', { '\udc00': 1 }, NaN, Infinity, [undefined], () => 0, 1n]) expect(() => canonicalJson(value)).toThrow();
  });
});
