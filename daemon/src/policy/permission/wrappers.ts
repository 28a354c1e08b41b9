import { hasOption, takeApart, valuesOf, type ValueOptions, listed } from './options.ts';
import type { RuleId } from './rules.ts';
import type { Stdin } from './shell.ts';
import { literalWord, unknownWord, type ShellWord } from './words.ts';

/** What a command would start besides itself. */
export type Started =
  | {
      readonly kind: 'words';
      readonly words: readonly ShellWord[];
      /** Runs in the shell that reads the command, so that `cd` in it moves what follows. */
      readonly here?: boolean;
      /** Variables that the wrapper sets for it. */
      readonly sets?: readonly ShellWord[];
      /** Where the wrapper starts it. */
      readonly cwd?: ShellWord;
      readonly stdin?: Stdin;
    }
  | { readonly kind: 'code'; readonly code: string; readonly here?: boolean }
  | { readonly kind: 'fault'; readonly rule: RuleId };

type Unwrap = (args: readonly ShellWord[], stdin: Stdin) => readonly Started[];

const fault = (rule: RuleId): Started[] => [{ kind: 'fault', rule }];
const started = (words: readonly ShellWord[]): Started[] => (words.length === 0 ? [] : [{ kind: 'words', words }]);
const code = (word: ShellWord | undefined, here = false): Started[] =>
  word === undefined ? [] : word.value === null ? fault('shell.dynamic_code') : [{ kind: 'code', code: word.value, here }];

/** A program that starts what its operands say, after `skip` operands of its own. */
const plain =
  (takes: ValueOptions = {}, skip = 0): Unwrap =>
  (args) =>
    started(takeApart(args, takes, true).operands.slice(skip));

const ASSIGNMENT = /^[A-Za-z_][A-Za-z0-9_]*=/;

/** The words of `env -S`. Plain ones only: its own quoting and `${…}` are not those of a shell. */
const splitString = (word: ShellWord): ShellWord[] | undefined =>
  word.value !== null && /^[\w\s./=:@%+,-]*$/.test(word.value)
    ? word.value
        .split(/\s+/)
        .filter((one) => one !== '')
        .map(literalWord)
    : undefined;

const env: Unwrap = (args) => {
  const sets: ShellWord[] = [];
  let words = args;
  let cwd: ShellWord | undefined;
  for (let again = true; again;) {
    again = false;
    const taken = takeApart(words, { short: 'uCSa', long: ['--unset', '--chdir', '--split-string', '--argv0'] }, true);
    cwd = valuesOf(taken, '-C', '--chdir').at(-1) ?? cwd;
    words = taken.operands;
    const strings = valuesOf(taken, '-S', '--split-string');
    if (strings.length > 0) {
      const split = strings.length === 1 ? splitString(strings[0]!) : undefined;
      if (!split) return fault('shell.dynamic_code');
      words = [...split, ...words];
      again = split.length > 0;
      continue;
    }
    const first = words.findIndex(({ prefix, value }) => (value === null ? !ASSIGNMENT.test(prefix) : !ASSIGNMENT.test(value)));
    sets.push(...words.slice(0, first === -1 ? words.length : first));
    words = first === -1 ? [] : words.slice(first);
  }
  return words.length === 0 ? [] : [{ kind: 'words', words, sets, ...(cwd && { cwd }) }];
};

/** `+x` unsets an option of a shell, and is taken like one. */
const asOption = (word: ShellWord): ShellWord =>
  word.prefix.startsWith('+')
    ? { ...word, value: word.value === null ? null : `-${word.value.slice(1)}`, prefix: `-${word.prefix.slice(1)}` }
    : word;

/** A shell: code after `-c`, else a script, else what it reads. */
const shell: Unwrap = (args, stdin) => {
  const taken = takeApart(args.map(asOption), { short: 'oO', long: ['--rcfile', '--init-file'] }, true);
  const { operands } = taken;
  if (taken.uncertain && operands.length === 0) return fault('shell.dynamic_code');
  if (hasOption(taken, '--rcfile', '--init-file')) return fault('proc.runs_program');
  if (hasOption(taken, '-c')) return operands.length === 0 ? fault('shell.dynamic_code') : code(operands[0]);
  const [script] = operands;
  if (hasOption(taken, '--version', '--help')) return [];
  if (
    script !== undefined &&
    !hasOption(taken, '-s') &&
    script.value !== '-' &&
    !script.prefix.startsWith('/dev/') &&
    !script.prefix.startsWith('/proc/')
  )
    return script.value === null ? fault('shell.dynamic_code') : [];
  if (stdin.kind === 'text' && stdin.text !== null) return [{ kind: 'code', code: stdin.text }];
  return stdin.kind === 'file' && script === undefined ? [] : fault('shell.piped_code');
};

const evaluated: Unwrap = (args) => {
  const words = args[0]?.value === '--' ? args.slice(1) : args;
  if (words.length === 0) return [];
  return words.every(({ value }) => value !== null)
    ? [{ kind: 'code', code: words.map(({ value }) => value).join(' '), here: true }]
    : fault('shell.dynamic_code');
};

const trap: Unwrap = (args) => {
  const { operands } = takeApart(args);
  return operands.length < 2 || operands[0]!.value === '-' || operands[0]!.value === '' ? [] : code(operands[0]);
};

/** `find -exec … ;`: the command with each name put in for `{}`. */
const find: Unwrap = (args) => {
  const all: Started[] = [];
  for (let at = 0; at < args.length; at++) {
    if (!/^-(exec|execdir|ok|okdir)$/.test(args[at]!.value ?? '')) continue;
    const stop = args.findIndex(({ value }, index) => index > at && (value === ';' || value === '+'));
    const words = args.slice(at + 1, stop === -1 ? args.length : stop);
    all.push(...started(words.map((word) => (word.value?.includes('{}') ? unknownWord(word.value) : word))));
    at = stop === -1 ? args.length : stop;
  }
  return all;
};

const fd: Unwrap = (args) => {
  const at = args.findIndex(({ value }) => value !== null && /^(-[a-zA-Z]*[xX]|--exec|--exec-batch)$/.test(value));
  if (at === -1) return args.some(({ prefix }) => /^--exec(-batch)?=/.test(prefix)) ? fault('proc.runs_program') : [];
  const stop = args.findIndex(({ value }, index) => index > at && value === ';');
  return started([...args.slice(at + 1, stop === -1 ? args.length : stop), unknownWord('{}')]);
};

const xargs: Unwrap = (args) => {
  const taken = takeApart(
    args,
    {
      short: 'IEdLnPsa',
      long: listed('--replace --eof --delimiter --max-lines --max-args --max-procs --max-chars --arg-file --process-slot-var'),
    },
    true,
  );
  if (taken.operands.length === 0) return [];
  const marks = [
    ...valuesOf(taken, '-I', '--replace').map(({ value }) => value ?? '{}'),
    ...(hasOption(taken, '-i', '--replace') ? ['{}'] : []),
  ];
  const words = taken.operands.map((word) =>
    marks.some((mark) => mark !== '' && word.value?.includes(mark)) ? unknownWord(word.value!) : word,
  );
  return [{ kind: 'words', words: [...words, unknownWord('…')], stdin: { kind: 'pipe' } }];
};

/** It puts names into texts that a shell reads, so what is run depends on the names. */
const parallel: Unwrap = () => fault('shell.dynamic_code');

/** `npx`, `pnpm exec` and their like start a program of the project. */
const runner =
  (takes: ValueOptions, codeOptions: readonly string[] = []): Unwrap =>
  (args) => {
    const taken = takeApart(args, takes, true);
    const texts = valuesOf(taken, ...codeOptions);
    if (texts.length > 0) return texts.flatMap((text) => code(text));
    return started(taken.operands);
  };

const npx = runner({ short: 'pcw', long: listed('--package --call --workspace --prefix --userconfig --registry --cache') }, [
  '-c',
  '--call',
]);
const pnpmOptions: ValueOptions = {
  short: 'CF',
  long: listed('--dir --filter --workspace --prefix --cwd --top-level --package'),
};

/** The word after the first operand of package managers that are also runners: `pnpm exec x`. */
const manager =
  (verbs: readonly string[], takes: ValueOptions = pnpmOptions): Unwrap =>
  (args, stdin) => {
    const { operands } = takeApart(args, takes, true);
    const verb = operands[0]?.value;
    if (verb === undefined || verb === null || !verbs.includes(verb)) return [];
    return npx(operands.slice(1), stdin);
  };

const watch: Unwrap = (args, stdin) => evaluated(takeApart(args, { short: 'nq', long: ['--interval', '--equexit'] }, true).operands, stdin);

const script: Unwrap = (args) =>
  valuesOf(takeApart(args, { short: 'cEoOIBTmt', long: ['--command'] }), '-c', '--command').flatMap((text) => code(text));

const flock: Unwrap = (args) => {
  const { operands } = takeApart(args, { short: 'wE', long: ['--timeout', '--wait', '--conflict-exit-code'] }, true);
  const inner = operands.slice(1);
  return /^(-c|--command)$/.test(inner[0]?.value ?? '') ? code(inner[1]) : started(inner);
};

const command: Unwrap = (args) => {
  const taken = takeApart(args, {}, true);
  return hasOption(taken, '-v', '-V') ? [] : started(taken.operands).map((one) => ({ ...one, here: true }) as Started);
};

const UNWRAP: Readonly<Record<string, Unwrap>> = {
  env,
  sudo: plain({ short: 'ugpCrtThUDR', long: listed('--user --group --prompt --chdir --host --role --type') }),
  doas: plain({ short: 'uC' }),
  pkexec: plain({ long: ['--user'] }),
  gosu: plain({}, 1),
  'su-exec': plain({}, 1),
  setpriv: plain({
    long: listed('--reuid --regid --groups --inh-caps --ambient-caps --bounding-set --securebits --pdeathsig'),
  }),
  nohup: plain(),
  setsid: plain(),
  nice: plain({ short: 'n', long: ['--adjustment'] }),
  ionice: plain({ short: 'cnpPu', long: ['--class', '--classdata'] }),
  chrt: plain({ short: 'TPD' }, 1),
  taskset: plain({ short: 'p' }, 1),
  stdbuf: plain({ short: 'ioe', long: ['--input', '--output', '--error'] }),
  unbuffer: plain(),
  timeout: plain({ short: 'ks', long: ['--kill-after', '--signal'] }, 1),
  gtimeout: plain({ short: 'ks', long: ['--kill-after', '--signal'] }, 1),
  time: plain({ short: 'fo', long: ['--format', '--output'] }),
  caffeinate: plain({ short: 'tw' }),
  'xvfb-run': plain({ short: 'nsefpw', long: ['--server-num', '--server-args', '--error-file', '--auth-file'] }),
  setarch: plain({}, 1),
  busybox: plain(),
  toybox: plain(),
  strace: plain({ short: 'eoapsSuPEIObX' }),
  ltrace: plain({ short: 'eoapsSunDFAl' }),
  unshare: plain({ short: 'SGRw', long: ['--setuid', '--setgid', '--root', '--wd'] }),
  nsenter: plain({ short: 'tSG', long: ['--target', '--setuid', '--setgid'] }),
  chroot: plain({ long: ['--groups', '--userspec'] }, 1),
  command,
  builtin: command,
  exec: (args) => started(takeApart(args, { short: 'a' }, true).operands).map((one) => ({ ...one, here: true }) as Started),
  sh: shell,
  bash: shell,
  dash: shell,
  ash: shell,
  zsh: shell,
  ksh: shell,
  mksh: shell,
  rbash: shell,
  eval: evaluated,
  trap,
  find,
  gfind: find,
  fd,
  fdfind: fd,
  xargs,
  gxargs: xargs,
  parallel,
  watch,
  script,
  flock,
  npx,
  pnpx: npx,
  bunx: npx,
  npm: manager(['exec', 'x'], { short: 'wC', long: ['--prefix', '--workspace'] }),
  pnpm: manager(['exec', 'dlx']),
  yarn: manager(['exec', 'dlx']),
  bun: manager(['x']),
  poetry: manager(['run'], { short: 'CP', long: ['--directory', '--project'] }),
  pipenv: manager(['run']),
  uv: manager(['run'], { long: ['--directory', '--project', '--config-file'] }),
  hatch: manager(['run']),
  rye: manager(['run']),
  bundle: manager(['exec']),
  'cross-env': (args) => env(args, { kind: 'pipe' }),
};

/** What a known program would start besides itself; nothing where it is not one that starts others. @param name lower case */
export const startedBy = (name: string, args: readonly ShellWord[], stdin: Stdin): readonly Started[] =>
  Object.hasOwn(UNWRAP, name) ? UNWRAP[name]!(args, stdin) : [];
