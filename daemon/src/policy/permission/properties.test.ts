import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ACCEPTANCE } from './acceptance.fixture.ts';
import { ESCAPES, FRICTION, HIDDEN_PUSHES, HOLES } from './hostile.fixture.ts';
import { judgePermission } from './judge.ts';
import type { PermissionPolicy, PermissionRequest } from './request.ts';
import { SEVERITY, type Mode } from './rules.ts';

const policy = (mode: Mode): PermissionPolicy => ({
  mode,
  rules: { allow: [{ command: 'foo' }], deny: [{ command: 'bar' }] },
  workspace: '/workspace',
  scratch: ['/tmp'],
  fence: { allowed: [['**']], forbidden: [], protected: [] },
  network: 'open',
});
const judge = (command: string, mode: Mode = 'auto') =>
  judgePermission({ tool: 'Bash', kind: 'execute', command, input: { command } }, policy(mode));
const severity = (command: string, mode: Mode) => SEVERITY[judge(command, mode).decision];

const corpus = [
  ...ACCEPTANCE.map(([, , command]) => command),
  ...HOLES.map(([command]) => command),
  ...FRICTION.map(([command]) => command),
].concat(
  HIDDEN_PUSHES,
  ESCAPES.map(([command]) => command),
);
/** Commands that end where they end: no comment, here-document or open quote that would swallow what is put after them. */
const whole = corpus.filter(
  (command) => command.trim() !== '' && !/<<|#|&$|\n$/.test(command) && judge(command).rule !== 'shell.parse_error',
);
const MOVES = /\b(?:cd|pushd|popd)\b/;
const modes = fc.constantFrom<Mode>('auto', 'ask', 'read_only');
const scraps = fc.constantFrom(
  ...corpus,
  '"',
  "'",
  '`',
  '$(',
  ')',
  '{',
  '}',
  '<<',
  '<<EOF\n',
  '\n',
  '\\',
  '&&',
  '|',
  ';',
  '((',
  '[[',
  '${',
  '\0',
  '\ud800',
  '~',
  '*',
  ' ',
  '=',
  '>',
  '-',
);

describe('judging', () => {
  it('never throws and is deterministic, whatever the text', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(scraps, fc.string({ unit: 'binary', maxLength: 8 })), { maxLength: 12 }), modes, (parts, mode) => {
        const command = parts.join('');
        const verdict = judge(command, mode);
        expect(judge(command, mode)).toEqual(verdict);
        expect(verdict.reason).not.toMatch(/[\p{Cc}\u202a-\u202e]/u);
      }),
      { numRuns: 2000 },
    );
  });

  it('never throws, whatever the request', () => {
    fc.assert(
      fc.property(
        fc.anything(),
        fc.anything(),
        fc.anything(),
        fc.anything(),
        fc.constantFrom('execute', 'edit', 'fetch', 'other'),
        (input, tool, paths, command, kind) => {
          const verdict = judgePermission({ input, tool, paths, command, kind } as unknown as PermissionRequest, policy('auto'));
          expect(['allow', 'ask', 'deny']).toContain(verdict.decision);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('is never made milder by one command more', () => {
    const joints = fc.constantFrom('; ', ' && ', ' || ', ' | ', '\n');
    fc.assert(
      fc.property(fc.constantFrom(...whole), joints, fc.constantFrom(...whole), modes, (one, joint, other, mode) => {
        const both = severity(`${one}${joint}${other}`, mode);
        expect(both).toBeGreaterThanOrEqual(severity(one, mode));
        // From another folder, the same words may mean something milder: `cd sub && cd .. && rm x` stays inside.
        if (!MOVES.test(one)) expect(both).toBeGreaterThanOrEqual(severity(other, mode));
      }),
      { numRuns: 3000 },
    );
  });

  it('is never made milder by wrapping', () => {
    const wrappers = fc.constantFrom<(command: string) => string>(
      (command) => `(${command})`,
      (command) => `{ ${command}; }`,
      (command) => `if true; then ${command}; fi`,
      (command) => `echo "$(${command})"`,
      (command) => `bash -c '${command.replaceAll("'", `'\\''`)}'`,
      (command) => `eval '${command.replaceAll("'", `'\\''`)}'`,
    );
    fc.assert(
      fc.property(fc.constantFrom(...whole), wrappers, modes, (command, wrap, mode) => {
        expect(severity(wrap(command), mode)).toBeGreaterThanOrEqual(severity(command, mode));
      }),
      { numRuns: 2000 },
    );
  });

  it('does not depend on how words are quoted', () => {
    const plain = whole.filter((command) => /^[\w ./:@+,-]+$/.test(command) && !/^(time|coproc|if|for|case|while|select)\b/.test(command));
    expect(plain.length).toBeGreaterThan(50);
    const quote = fc.constantFrom<(word: string) => string>(
      (word) => `'${word}'`,
      (word) => `"${word}"`,
      (word) =>
        `$'${word
          .split('')
          .map((one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`)
          .join('')}'`,
      (word) =>
        word
          .split('')
          .map((one) => `\\${one}`)
          .join(''),
      (word) => `${word.slice(0, 1)}''${word.slice(1)}`,
      (word) => `"${word.slice(0, 1)}"\\\n'${word.slice(1)}'`,
    );
    fc.assert(
      fc.property(fc.constantFrom(...plain), fc.array(quote, { minLength: 1, maxLength: 6 }), modes, (command, quotes, mode) => {
        const words = command.split(' ').filter((word) => word !== '');
        const quoted = words.map((word, index) => quotes[index % quotes.length]!(word)).join(' ');
        const { decision, rule } = judge(command, mode);
        expect(judge(quoted, mode)).toMatchObject({ decision, rule });
      }),
      { numRuns: 2000 },
    );
  });

  it('takes time about in proportion to the text, for hostile shapes too', () => {
    const size = 60_000;
    const fill = (text: string) => text.repeat(Math.floor(size / text.length));
    const shapes = [
      fill('a '),
      fill('ls;'),
      fill('$('),
      fill('(('),
      fill('{a,b}'),
      `echo ${fill('{a,b}')}`,
      fill('env '),
      fill('eval '),
      fill("bash -c '"),
      fill('`'),
      fill('<<a\n'),
      fill('if true; then '),
      fill('a=$(b) '),
      `sed '${fill('s/a/b/;')}' x`,
      `rm ${fill('a/../')}`,
      `rm ${fill('*/')}`,
      fill('xargs '),
      fill('cd a;'),
      `cd ${fill('a && cd ')}b`,
      fill('while cd ..; do '),
      fill('f() { '),
      `[[ ${fill('a[')} ]]`,
      `echo ${fill('$((')}`,
      fill('"$('),
      `${'$('.repeat(90)}${fill('a ')}${')'.repeat(90)}`,
      `echo ${'$(('.repeat(45)}${fill('a+')}a${'))'.repeat(45)}`,
      fill('echo $(a $(b)) '),
      `git log ${fill('--a=b ')}`,
      `find . ${fill('-exec a ')}`,
    ];
    for (const command of shapes) {
      const start = process.hrtime.bigint();
      judge(command);
      expect({ shape: command.slice(0, 20), slow: Number(process.hrtime.bigint() - start) / 1e6 > 3000 }).toMatchObject({ slow: false });
    }
  });
});
