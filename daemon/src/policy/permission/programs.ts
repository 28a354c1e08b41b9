import { judgeForge, judgeGit } from './git.ts';
import { judgeManager } from './managers.ts';
import type { Notes } from './notes.ts';
import { hasOption, takeApart, valuesOf, type ValueOptions } from './options.ts';
import type { RuleId } from './rules.ts';
import { programName, type ShellCommand, type Stdin } from './shell.ts';
import { knownValue, type ShellWord } from './words.ts';

type Handler = (args: readonly ShellWord[], notes: Notes, stdin: Stdin) => void;

const say =
  (...rules: readonly RuleId[]): Handler =>
  (_args, notes) =>
    rules.forEach((rule) => notes.rule(rule));

/** A program that reads its operands and writes nothing but its output. @param writes options whose value is a file it writes */
const reads =
  (
    takes: ValueOptions = {},
    { writes = [], runs = [] }: { readonly writes?: readonly string[]; readonly runs?: readonly string[] } = {},
  ): Handler =>
  (args, notes) => {
    const taken = takeApart(args, takes);
    notes.rule('fs.read');
    notes.touch('read', ...taken.operands);
    if (runs.length > 0 && hasOption(taken, ...runs)) notes.rule('proc.runs_program');
    if (writes.length > 0 && hasOption(taken, ...writes)) notes.touch('write', ...valuesOf(taken, ...writes));
    if (taken.uncertain && (writes.length > 0 || runs.length > 0)) notes.rule('shell.dynamic_argument');
  };

/** A program that writes (or deletes) every operand. */
const touches =
  (how: 'write' | 'delete', takes: ValueOptions = {}): Handler =>
  (args, notes) => {
    const { operands, uncertain } = takeApart(args, takes);
    if (uncertain) notes.rule('shell.dynamic_argument');
    notes.rule(how === 'delete' ? 'fs.delete' : 'fs.write');
    notes.touch(how, ...operands);
  };

/** `cp`, `install`: what comes before the last operand is read, the last is written. `mv` takes it away besides. */
const copies =
  (from: 'read' | 'delete'): Handler =>
  (args, notes) => {
    const taken = takeApart(args, { short: 'tSmog', long: ['--target-directory', '--suffix', '--mode', '--owner', '--group'] });
    const folders = valuesOf(taken, '-t', '--target-directory');
    const sources = folders.length > 0 ? taken.operands : taken.operands.slice(0, -1);
    if (taken.uncertain) notes.rule('shell.dynamic_argument');
    notes.rule('fs.write');
    notes.touch(from, ...sources);
    notes.touch('write', ...folders, ...(folders.length > 0 ? [] : taken.operands.slice(-1)));
    if (hasOption(taken, '-d', '--directory')) notes.touch('write', ...sources);
    if (valuesOf(taken, '-m', '--mode').some(setsId)) notes.rule('fs.set_id');
    // A copy that keeps links can put one where later writes go through it.
    if (hasOption(taken, '-l', '--link', '-s', '--symbolic-link')) for (const source of sources) notes.touch('write', source);
  };

const setsId = ({ value }: ShellWord): boolean =>
  value !== null && (/^[2467]\d{3}$|^0[2467]\d{3}$/.test(value) || /[+=][rwxXt]*s/.test(value));

const chmod: Handler = (args, notes) => {
  const taken = takeApart(args, { long: ['--reference'] });
  const referred = hasOption(taken, '--reference');
  const [mode] = referred ? [] : taken.operands;
  const files = taken.operands.slice(referred ? 0 : 1);
  // `-x` looks like an option and is a mode.
  if (mode && setsId(mode)) notes.rule('fs.set_id');
  if (taken.uncertain) notes.rule('shell.dynamic_argument');
  notes.rule('fs.write');
  notes.touch('write', ...files);
};

const link: Handler = (args, notes) => {
  const taken = takeApart(args, { short: 'tS', long: ['--target-directory', '--suffix'] });
  const folder = valuesOf(taken, '-t', '--target-directory')[0];
  const targets = folder || taken.operands.length < 2 ? taken.operands : taken.operands.slice(0, -1);
  const at = folder ?? (taken.operands.length < 2 ? undefined : taken.operands.at(-1));
  notes.rule('fs.write');
  if (taken.uncertain) notes.rule('shell.dynamic_argument');
  for (const target of targets) if (at) notes.links(at, target);
  if (at) notes.touch('write', at);
  // A hard link is the file itself, under another name.
  if (!hasOption(taken, '-s', '--symbolic')) notes.touch('write', ...targets);
};

const find: Handler = (args, notes) => {
  notes.rule('fs.read');
  const first = args.findIndex(({ prefix }) => /^[-(!]/.test(prefix) && !/^-[HLP]$/.test(prefix));
  const roots = args.slice(0, first === -1 ? args.length : first).filter(({ prefix }) => !prefix.startsWith('-'));
  notes.touch('read', ...roots);
  for (const [index, { value, prefix }] of args.entries()) {
    if (value === '-delete') {
      notes.rule('fs.delete');
      notes.touch('delete', ...roots);
    }
    if (/^-(fprint0?|fprintf|fls)$/.test(prefix) && args[index + 1]) notes.touch('write', args[index + 1]!);
    if (value === null && prefix === '' && index >= roots.length) notes.rule('shell.dynamic_argument');
  }
};

const dd: Handler = (args, notes) => {
  notes.rule('fs.write');
  for (const word of args) {
    const of = word.prefix.startsWith('of=');
    const rest = { ...word, value: word.value?.slice(3) ?? null, prefix: word.prefix.slice(3) };
    if (of) notes.touch('write', rest);
    else if (word.prefix.startsWith('if=')) notes.touch('read', rest);
    else if (word.value === null && word.prefix.length < 3) notes.rule('fs.dynamic_path');
  }
};

/** `sed` scripts that only print, delete and substitute. What else there is may run programs (`e`) or write files (`w`). */
const SED_COMMAND = String.raw`(?:(?:\d+|\$|/(?:[^/\\\n]|\\.)*/I?)(?:,(?:[+~]?\d+|\$|/(?:[^/\\\n]|\\.)*/I?))?)?\s*!?\s*(?:[pdDPnNqQ=]\d*|s([/|#,:@!])(?:(?!\1)[^\\\n]|\\.)*\1(?:(?!\1)[^\\\n]|\\.)*\1[gpiI\d]*)`;
const SED_SAFE = new RegExp(String.raw`^\s*${SED_COMMAND}\s*$`);

const sed: Handler = (args, notes) => {
  const taken = takeApart(args, { short: 'efl', long: ['--expression', '--file', '--line-length'] });
  const given = [...valuesOf(taken, '-e', '--expression')];
  const files = valuesOf(taken, '-f', '--file');
  const script = given.length + files.length > 0 ? given : taken.operands.slice(0, 1);
  const operands = given.length + files.length > 0 ? taken.operands : taken.operands.slice(1);
  const safe = script.every(
    ({ value }) => value !== null && value.length <= 1000 && value.split(/;|\n/).every((one) => one.trim() === '' || SED_SAFE.test(one)),
  );
  notes.rule('fs.read');
  if (!safe || files.length > 0 || taken.uncertain) notes.rule('code.inline');
  if (files.length > 0) notes.touch('execute', ...files);
  // GNU reads `-i.bak` and `-ni` alike: letters after -i are a suffix, letters before it are options.
  const inPlace = hasOption(taken, '-i', '--in-place') || (hasOption(taken, '-I') && taken.operands.length > 0);
  notes.touch(inPlace ? 'write' : 'read', ...operands);
  if (inPlace) notes.rule('fs.write');
};

/** Texts of `awk` with which it runs programs or writes files. */
const AWK_ACTS = /system|getline|\||>|\bprintf?\s*>|@|close|fflush|\binclude\b|\bload\b/;

const awk: Handler = (args, notes) => {
  const taken = takeApart(
    args,
    { short: 'Fvfiel', long: ['--field-separator', '--assign', '--file', '--source', '--include', '--load', '--exec'] },
    true,
  );
  const files = valuesOf(taken, '-f', '--file', '-i', '--include', '-l', '--load', '--exec');
  const texts = valuesOf(taken, '-e', '--source');
  const program = files.length + texts.length > 0 ? texts : taken.operands.slice(0, 1);
  // A comparison is written with > too; in a pattern between slashes or parentheses it is no redirect, which only a parser could tell.
  if (taken.uncertain || program.some(({ value }) => value === null || AWK_ACTS.test(value))) notes.rule('code.inline');
  notes.rule('fs.read');
  if (files.length > 0) {
    notes.rule('code.inline');
    notes.touch('execute', ...files);
  }
  notes.touch('read', ...(files.length + texts.length > 0 ? taken.operands : taken.operands.slice(1)));
};

const tar: Handler = (args, notes) => {
  const [first, ...more] = args;
  // The old form has its options without a dash.
  const bundle = /^[a-zA-Z]+$/.test(knownValue(first) ?? '');
  const words = first && bundle ? [{ ...first, value: `-${first.prefix}`, prefix: `-${first.prefix}` }, ...more] : args;
  const taken = takeApart(words, {
    short: 'fCTXbHKLNVg',
    long: [
      '--file',
      '--directory',
      '--files-from',
      '--exclude',
      '--exclude-from',
      '--strip-components',
      '--transform',
      '--mtime',
      '--owner',
      '--group',
      '--mode',
    ],
  });
  if (
    hasOption(
      taken,
      '--checkpoint-action',
      '--to-command',
      '--use-compress-program',
      '--rsh-command',
      '--info-script',
      '--new-volume-script',
      '--rmt-command',
      '-I',
      '-F',
    )
  )
    notes.rule('proc.runs_program');
  if (taken.uncertain) notes.rule('shell.dynamic_argument');
  const archive = valuesOf(taken, '-f', '--file');
  const folder = valuesOf(taken, '-C', '--directory');
  if (archive.some(({ value }) => value !== null && value.includes(':') && !hasOption(taken, '--force-local')))
    notes.rule('net.remote_shell');
  if (hasOption(taken, '-t', '--list') && !hasOption(taken, '-x', '-c')) {
    notes.rule('fs.read');
    notes.touch('read', ...archive);
  } else if (hasOption(taken, '-x', '--extract', '--get')) {
    notes.rule('fs.write');
    notes.touch('read', ...archive);
    if (folder.length > 0) notes.touch('write', ...folder);
    if (hasOption(taken, '-P', '--absolute-names', '--unlink-first', '--keep-directory-symlink')) notes.rule('fs.dynamic_path');
  } else {
    notes.rule('fs.write');
    notes.touch('write', ...archive);
    notes.touch('read', ...folder, ...taken.operands);
  }
};

const curl: Handler = (args, notes) => {
  const taken = takeApart(args, {
    short: 'AbcCdDeEFHhIKmoPQrtTuUwxXyYz',
    long: [
      '--data',
      '--data-raw',
      '--data-binary',
      '--data-urlencode',
      '--json',
      '--form',
      '--form-string',
      '--upload-file',
      '--request',
      '--output',
      '--output-dir',
      '--header',
      '--user',
      '--url',

      '--user-agent',
      '--referer',
      '--cookie',
      '--cookie-jar',
      '--dump-header',
      '--config',
      '--proxy',
      '--max-time',
      '--connect-timeout',
      '--retry',
      '--write-out',
      '--cacert',
      '--cert',
      '--key',
      '--resolve',
      '--connect-to',
      '--unix-socket',
      '--trace',
      '--trace-ascii',
      '--stderr',
      '--etag-save',
      '--hsts',
      '--alt-svc',
      '--libcurl',
      '--range',
    ],
  });
  const urls = [...taken.operands, ...valuesOf(taken, '--url')];
  if (
    hasOption(
      taken,
      '-K',
      '--config',
      '-x',
      '--proxy',
      '--preproxy',
      '--socks5',
      '--unix-socket',
      '--abstract-unix-socket',
      '--resolve',
      '--connect-to',
      '-E',
      '--cert',
      '--key',
      '--engine',
      '-n',
      '--netrc',
    )
  )
    notes.rule('net.raw_socket');
  if (
    hasOption(
      taken,
      '-d',
      '--data',
      '--data-raw',
      '--data-binary',
      '--data-urlencode',
      '--json',
      '-F',
      '--form',
      '--form-string',
      '-T',
      '--upload-file',
      '-Q',
      '--quote',
      '-u',
      '--user',
      '--mail-from',
    )
  )
    notes.rule('net.upload');
  if (valuesOf(taken, '-X', '--request').some(({ value }) => value === null || !/^(GET|HEAD)$/i.test(value))) notes.rule('net.upload');
  notes.touch(
    'write',
    ...valuesOf(
      taken,
      '-o',
      '--output',
      '-c',
      '--cookie-jar',
      '-D',
      '--dump-header',
      '--output-dir',
      '--trace',
      '--trace-ascii',
      '--stderr',
      '--etag-save',
      '--hsts',
      '--alt-svc',
      '--libcurl',
    ).filter(({ value }) => value !== '-'),
  );
  if (taken.uncertain || urls.length === 0) notes.rule('net.unknown_target');
  for (const url of urls) notes.url(url);
};

const wget: Handler = (args, notes) => {
  const taken = takeApart(args, {
    short: 'OoaPUeitTwQAR',
    long: [
      '--output-document',
      '--output-file',
      '--append-output',
      '--directory-prefix',
      '--user-agent',
      '--execute',
      '--input-file',
      '--tries',
      '--timeout',
      '--header',
      '--post-data',
      '--post-file',
      '--body-data',
      '--body-file',
      '--method',
      '--config',
      '--use-askpass',
    ],
  });
  if (hasOption(taken, '-e', '--execute', '--config', '--use-askpass', '-i', '--input-file')) notes.rule('proc.runs_program');
  if (hasOption(taken, '--post-data', '--post-file', '--body-data', '--body-file', '--method', '--user', '--password'))
    notes.rule('net.upload');
  notes.touch(
    'write',
    ...valuesOf(taken, '-O', '--output-document', '-o', '--output-file', '-a', '--append-output', '-P', '--directory-prefix').filter(
      ({ value }) => value !== '-',
    ),
  );
  if (taken.uncertain || taken.operands.length === 0) notes.rule('net.unknown_target');
  for (const url of taken.operands) notes.url(url);
};

const rsync: Handler = (args, notes) => {
  const taken = takeApart(args, {
    short: 'efBTM',
    long: [
      '--rsh',
      '--rsync-path',
      '--exclude',
      '--include',
      '--filter',
      '--files-from',
      '--backup-dir',
      '--log-file',
      '--temp-dir',
      '--partial-dir',
    ],
  });
  if (hasOption(taken, '-e', '--rsh', '--rsync-path', '--daemon')) notes.rule('proc.runs_program');
  if (taken.operands.some(({ prefix }) => /^[^/]*:/.test(prefix))) notes.rule('net.remote_shell');
  if (taken.uncertain) notes.rule('shell.dynamic_argument');
  notes.rule('fs.write');
  notes.touch('read', ...taken.operands.slice(0, -1));
  notes.touch('write', ...taken.operands.slice(-1), ...valuesOf(taken, '--backup-dir', '--log-file', '--temp-dir', '--partial-dir'));
};

/** An interpreter: code after one of these options, else a file, else what it reads. */
const interpreter =
  (codeOptions: readonly string[], takes: ValueOptions, modules = false): Handler =>
  (args, notes, stdin) => {
    const taken = takeApart(args, takes, true);
    const inline = hasOption(taken, ...codeOptions);
    if (taken.uncertain && taken.operands.length === 0) notes.rule('shell.dynamic_code');
    if (inline) notes.rule('code.inline');
    const [module] = modules ? valuesOf(taken, '-m') : [];
    if (module) {
      const name = module.value ?? '';
      if (name === 'pip' || name === 'ensurepip' || name === 'uv') judgeManager('pip', taken.operands, notes);
      else if (/^(http\.server|smtpd|ftplib|pdb|telnetlib)$/.test(name)) notes.rule('code.inline');
      else if (/^(json\.tool|tabnanny|tokenize|ast|calendar|platform|sysconfig|site)$/.test(name)) notes.rule('fs.read');
      else notes.rule(module.value === null ? 'shell.dynamic_code' : 'dev.run');
      return;
    }
    notes.touch(
      'execute',
      ...valuesOf(taken, '-r', '--require', '--import', '--loader', '--experimental-loader', '-I').filter(({ prefix }) =>
        /^[./~]/.test(prefix),
      ),
    );
    if (inline) return;
    if (taken.options.length > 0 && hasOption(taken, '--version', '-V', '--help', '-h') && taken.operands.length === 0)
      notes.rule('fs.read');
    else if (hasOption(taken, '-v') && taken.operands.length === 0 && args.length === 1) notes.rule('fs.read');
    else if (taken.operands.length > 0 && taken.operands[0]!.value !== '-') {
      notes.touch('execute', taken.operands[0]!);
      notes.touch('read', ...taken.operands.slice(1).filter(({ prefix }) => /^[/~]|^\.\.?\//.test(prefix)));
    } else if (hasOption(taken, '--test', '--run', '--check', '--watch')) notes.rule('dev.run');
    else if (stdin.kind === 'file') notes.touch('execute', stdin.file);
    else notes.rule(stdin.kind === 'text' && stdin.text !== null ? 'code.inline' : 'shell.piped_code');
  };

const python = interpreter(['-c'], { short: 'cmWXQ', long: ['--check-hash-based-pycs'] }, true);
const node = interpreter(['-e', '--eval', '-p', '--print', '-pe'], {
  short: 'eprCI',
  long: [
    '--eval',
    '--print',
    '--require',
    '--import',
    '--loader',
    '--experimental-loader',
    '--conditions',
    '--env-file',
    '--test-reporter',
    '--test-name-pattern',
  ],
});
const perl = interpreter(['-e', '-E', '-n', '-p'], { short: 'eEIMmxC' });

/** A shell with a script; code and pipes are read by the shell reader itself. */
const shell: Handler = (args, notes, stdin) => {
  const taken = takeApart(args, { short: 'oO' }, true);
  const [script] = taken.operands.filter(({ prefix }) => !prefix.startsWith('+'));
  if (hasOption(taken, '-c') || hasOption(taken, '--version', '--help')) notes.rule('shell.builtin');
  else if (script && !hasOption(taken, '-s')) notes.touch('execute', script);
  else if (stdin.kind === 'file') notes.touch('execute', stdin.file);
  else notes.rule('shell.builtin');
};

const source: Handler = (args, notes) => {
  const [file] = args.filter(({ value }) => value !== '--');
  if (file) notes.touch('execute', file);
  else notes.rule('shell.builtin');
};

const kill: Handler = (args, notes) => {
  const numbers = args.filter(({ prefix }) => !/^-[A-Z]|^-(9|15|2|1|3|s|n|l|L|0)$/.test(prefix));
  const every =
    args.some(({ value }, index) => index > 0 && value === '-1') ||
    numbers.some(({ value }) => value === '-1' || value === '0' || value === '1');
  notes.rule(every ? 'proc.kill' : 'shell.builtin');
};

const shopt: Handler = (args, notes) => {
  notes.rule(args.some(({ value }) => value === 'expand_aliases' || value === null) ? 'shell.redefines' : 'shell.builtin');
};

const READS =
  'ls dir vdir cat tac nl head tail wc zcat bzcat xzcat stat file du df cut paste join fold fmt expand unexpand pr cmp comm diff diff3 sdiff colordiff od hexdump strings base64 base32 cksum md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum sum basename dirname realpath readlink rev column tsort jq cloc tokei scc ldd nm objdump readelf size addr2line ag ack pdftotext identify exiftool namei tree bat delta';

const SILENT =
  'tr seq expr factor numfmt printenv cal man apropos whatis whereis lsof ps pgrep pidof top uptime free vmstat nproc arch uname hostname whoami id groups users who w tty locale getconf echo printf true false : pwd test [ [[ cd pushd popd dirs type which sleep yes set shift return exit break continue read unset wait jobs fg bg local export declare typeset readonly let getopts umask ulimit times history help logout mapfile readarray caller compgen complete compopt bind fc date clear tput stty';

const WRAPPERS =
  'env nice ionice chrt taskset stdbuf unbuffer timeout gtimeout time caffeinate xvfb-run setarch busybox toybox command builtin exec eval trap xargs gxargs watch flock cross-env';

const DEV =
  'tsc tsx ts-node swc esbuild rollup rolldown vite vitest jest mocha ava tap c8 nyc playwright cypress eslint oxlint oxfmt prettier biome stylelint knip madge depcheck dependency-cruiser depcruise webpack parcel turbo nx lerna next nuxt astro svelte-check ng vue-tsc tsup microbundle typedoc standard xo rimraf publint attw size-limit changeset pytest py.test tox nox mypy pyright ruff black isort flake8 pylint bandit coverage pyflakes autopep8 yapf pre-commit sphinx-build mkdocs behave hypothesis rustc rustfmt clippy-driver cargo-clippy gofmt goimports golangci-lint staticcheck gcc g++ cc c++ clang clang++ clang-format clang-tidy ld ar ranlib cmake ctest ninja meson javac java kotlinc kotlin scalac sbt mvn mvnw gradle gradlew ant dotnet msbuild rspec rubocop rake minitest phpunit phpstan psalm ghc stack cabal hlint elixirc dialyzer swiftc xcodebuild swiftlint make gmake just task bazel bazelisk buck2 shellcheck shfmt hadolint yamllint markdownlint markdownlint-cli2 actionlint terraform-fmt protoc buf flow lint-staged tsd vitepress storybook wasm-pack as nasm deadcode dune ocamlc zig nim crystal dart flutter';

/** Files that a tool of the project executes or is steered by, of which any may be there. */
const STEERED: Readonly<Record<string, readonly string[]>> = {
  make: ['GNUmakefile', 'makefile', 'Makefile'],
  gmake: ['GNUmakefile', 'makefile', 'Makefile'],
  just: ['justfile', 'Justfile', '.justfile'],
  task: ['Taskfile.yml', 'Taskfile.yaml'],
  rake: ['Rakefile', 'rakefile'],
  tox: ['tox.ini', 'pyproject.toml', 'setup.cfg'],
  nox: ['noxfile.py'],
  pytest: ['conftest.py', 'pyproject.toml', 'pytest.ini', 'tox.ini', 'setup.cfg'],
  'py.test': ['conftest.py', 'pyproject.toml', 'pytest.ini', 'tox.ini', 'setup.cfg'],
  mvn: ['pom.xml'],
  gradle: ['build.gradle', 'build.gradle.kts', 'settings.gradle', 'settings.gradle.kts'],
  cmake: ['CMakeLists.txt'],
  ninja: ['build.ninja'],
  meson: ['meson.build'],
  ant: ['build.xml'],
  vitest: ['vitest.config.ts', 'vitest.config.js', 'vite.config.ts', 'vite.config.js', 'package.json'],
  vite: ['vite.config.ts', 'vite.config.js', 'package.json'],
  jest: ['jest.config.ts', 'jest.config.js', 'package.json'],
  eslint: ['eslint.config.js', 'eslint.config.mjs', 'eslint.config.ts', 'package.json'],
  sbt: ['build.sbt'],
  bazel: ['WORKSPACE', 'MODULE.bazel', 'BUILD', 'BUILD.bazel'],
  'pre-commit': ['.pre-commit-config.yaml'],
};

const RELEASES = /(?:^|[:_-])(?:release|publish|deploy|ship|push|upload)(?:$|[:_-])/i;

/** A tool of the project: it executes code of the workspace. Paths that leave it are noted, and targets with telling names. */
const develops =
  (name: string): Handler =>
  (args, notes) => {
    const taken = takeApart(args, { short: 'fCI', long: ['--file', '--directory', '--makefile'] });
    if (args.length > 0 && args.every(({ value }) => /^(--version|-version|version|--help|-V)$/.test(value ?? ''))) {
      notes.rule('fs.read');
      return;
    }
    notes.rule('dev.run');
    if (taken.operands.some(({ value }) => value !== null && RELEASES.test(value) && !value.includes('/') && !value.includes('.')))
      notes.rule('release.run');
    const folders = name === 'make' || name === 'gmake' ? valuesOf(taken, '-C', '--directory') : [];
    const files = name === 'make' || name === 'gmake' || name === 'just' ? valuesOf(taken, '-f', '--file', '--makefile') : [];
    const folder = knownValue(folders[0]);
    const base = folder === undefined ? '' : `${folder.replace(/\/+$/, '')}/`;
    if (files.length > 0) notes.touch('execute', ...files);
    else notes.executes(...(STEERED[name] ?? []).map((file) => `${base}${file}`));
    notes.touch('read', ...folders, ...taken.operands.filter(({ prefix }) => /^[/~]|^\.\.(?:\/|$)/.test(prefix)));
    notes.touch(
      'write',
      ...valuesOf(taken, '-o', '--out', '--outDir', '--outFile', '--output', '--outfile', '--outdir').filter(
        ({ value }) => value !== null && value !== '',
      ),
    );
  };

const each = (text: string, handler: (name: string) => Handler): [string, Handler][] =>
  text.split(' ').map((name) => [name, handler(name)]);

const GREP: ValueOptions = {
  short: 'efmABCdD',
  long: [
    '--regexp',
    '--file',
    '--max-count',
    '--after-context',
    '--before-context',
    '--context',
    '--include',
    '--exclude',
    '--exclude-dir',
  ],
};

/** What is known of each program, by its name in lower case. */
const PROGRAMS: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ...each(READS, () => reads()),
  ...each(SILENT, () => say('shell.builtin')),
  ...each(WRAPPERS, () => say('shell.builtin')),
  ...each(DEV, develops),
  ...each('grep egrep fgrep zgrep', () => (args, notes) => {
    const taken = takeApart(args, GREP);
    const patterns = hasOption(taken, '-e', '--regexp', '-f', '--file');
    notes.rule('fs.read');
    notes.touch('read', ...taken.operands.slice(patterns ? 0 : 1), ...valuesOf(taken, '-f', '--file'));
  }),
  [
    'rg',
    (args, notes) => {
      const taken = takeApart(args, {
        short: 'efgtTmABCjMEr',
        long: [
          '--regexp',
          '--file',
          '--glob',
          '--iglob',
          '--type',
          '--type-not',
          '--max-count',
          '--context',
          '--replace',
          '--pre',
          '--hostname-bin',
          '--sort',
        ],
      });
      notes.rule('fs.read');
      if (hasOption(taken, '--pre', '--hostname-bin')) notes.rule('proc.runs_program');
      if (taken.uncertain) notes.rule('shell.dynamic_argument');
      notes.touch('read', ...taken.operands.slice(hasOption(taken, '-e', '--regexp', '-f', '--file', '--files') ? 0 : 1));
    },
  ],
  ['date', (args, notes) => notes.rule(hasOption(takeApart(args, { short: 'drf' }), '-s', '--set') ? 'proc.escape' : 'shell.builtin')],
  [
    'sort',
    reads(
      { short: 'kotST', long: ['--key', '--output', '--field-separator', '--compress-program', '--files0-from', '--temporary-directory'] },
      { writes: ['-o', '--output'], runs: ['--compress-program'] },
    ),
  ],
  ['tree', reads({ short: 'LIPo' }, { writes: ['-o'] })],
  [
    'yq',
    (args, notes) => {
      const taken = takeApart(args);
      notes.rule('fs.read');
      if (hasOption(taken, '-i', '--in-place', '--inplace')) notes.touch('write', ...taken.operands.slice(-1));
      else notes.touch('read', ...taken.operands.slice(1));
      if (taken.uncertain) notes.rule('shell.dynamic_argument');
    },
  ],
  ...each('jq gojq', () => (args, notes) => {
    notes.rule('fs.read');
    notes.touch('read', ...takeApart(args, { short: 'fL' }).operands.slice(1));
  }),
  ['less', reads({ short: 'oOkp' }, { writes: ['-o', '-O', '--log-file', '--LOG-FILE'] })],
  ['more', reads()],
  [
    'uniq',
    (args, notes) => {
      const { operands } = takeApart(args, { short: 'fsw' });
      notes.rule('fs.read');
      notes.touch('read', ...operands.slice(0, 1));
      notes.touch('write', ...operands.slice(1));
    },
  ],
  [
    'xxd',
    (args, notes) => {
      const { operands } = takeApart(args, { short: 'clsogn' });
      notes.rule('fs.read');
      notes.touch('read', ...operands.slice(0, 1));
      notes.touch('write', ...operands.slice(1));
    },
  ],
  ...each('find gfind', () => find),
  ...each('fd fdfind', () => (args, notes) => {
    notes.rule('fs.read');
    notes.touch('read', ...takeApart(args, { short: 'eEtTdjcSo' }).operands.slice(1));
  }),
  ...each('sed gsed', () => sed),
  ...each('awk gawk mawk nawk', () => awk),
  ...each('rm unlink shred rmdir', () => touches('delete', { short: 'ns' })),
  ...each('touch truncate mkdir mkfifo', () => touches('write', { short: 'mdtrsZ', long: ['--mode', '--date', '--reference', '--size'] })),
  ['tee', touches('write')],
  ['sponge', touches('write')],
  ['cp', copies('read')],
  ['install', copies('read')],
  ['mv', copies('delete')],
  ['ln', link],
  ['dd', dd],
  ['chmod', chmod],
  ...each('chown chgrp chattr setfacl setcap', () => say('fs.set_id')),
  ...each('split csplit', () => (args, notes) => {
    const taken = takeApart(args, { short: 'abCnlrt', long: ['--filter'] });
    notes.rule('fs.write');
    if (hasOption(taken, '--filter')) notes.rule('proc.runs_program');
    notes.touch('read', ...taken.operands.slice(0, 1));
    notes.touch('write', ...taken.operands.slice(1));
  }),
  [
    'patch',
    (args, notes) => {
      const taken = takeApart(args, { short: 'dioBDFprVYzg', long: ['--directory', '--input', '--output'] });
      notes.rule('fs.write');
      // Which files it changes stands in the patch.
      notes.rule('tool.paths_unknown');
      notes.touch('write', ...taken.operands.slice(0, 1), ...valuesOf(taken, '-d', '--directory', '-o', '--output'));
    },
  ],
  ...each('tar gtar bsdtar', () => tar),
  [
    'unzip',
    (args, notes) => {
      const taken = takeApart(args, { short: 'dxP' });
      notes.rule(hasOption(taken, '-l', '-t', '-Z', '-p') ? 'fs.read' : 'fs.write');
      notes.touch('read', ...taken.operands.slice(0, 1));
      notes.touch('write', ...valuesOf(taken, '-d'));
    },
  ],
  [
    'zip',
    (args, notes) => {
      const taken = takeApart(args, { short: 'bnPti', long: ['--unzip-command'] });
      notes.rule('fs.write');
      if (hasOption(taken, '-T', '--test', '-TT', '--unzip-command')) notes.rule('proc.runs_program');
      notes.touch('write', ...taken.operands.slice(0, 1));
      notes.touch('read', ...taken.operands.slice(1));
    },
  ],
  ...each('gzip gunzip bzip2 bunzip2 xz unxz zstd unzstd', () => touches('write', { short: 'So' })),
  ['git', (args, notes) => judgeGit(args, notes)],
  ...each('gh glab hub tea', () => (args, notes) => judgeForge(args, notes)),
  ...each(
    'npm pnpm yarn bun npx pnpx bunx pip pip3 pipx uv uvx poetry pipenv hatch rye pdm conda mamba cargo go gem bundle composer mix swift pod deno brew apt apt-get aptitude dpkg yum dnf rpm apk pacman zypper snap flatpak nix nix-env port twine nuget choco winget scoop',
    (name) => (args, notes) => judgeManager(name, args, notes),
  ),
  ['curl', curl],
  ['wget', wget],
  ['rsync', rsync],
  ...each('nc ncat netcat socat telnet ftp tftp lftp nmap hping3 mosquitto_pub redis-cli mysql mongosh', () => say('net.raw_socket')),
  ...each(
    'ssh scp sftp mosh ssh-add ssh-agent ssh-keygen ssh-keyscan ssh-copy-id sshfs autossh rclone s3cmd aws gcloud az kubectl helm terraform ansible ansible-playbook pulumi flyctl vercel netlify heroku wrangler',
    () => say('net.remote_shell'),
  ),
  ...each('ping dig host nslookup traceroute whois', () => say('net.raw_socket')),
  ...each('python python2 python3 pypy pypy3 python3.9 python3.10 python3.11 python3.12 python3.13 python3.14 ipython', () => python),
  ...each('node nodejs', () => node),
  ...each('perl ruby', () => perl),
  ...each('php', () => interpreter(['-r', '--run', '-R', '-B', '-E'], { short: 'rRBEfdcSt', long: ['--run'] })),
  ...each('lua luajit', () => interpreter(['-e'], { short: 'el' })),
  ...each(
    'rscript r julia ghci runghc scala groovy jshell osascript tclsh wish expect guile racket sbcl clisp emacs vim vi nvim ex ed nano pico gdb lldb sqlite3 m4 gnuplot octave psql',
    () => say('code.inline'),
  ),
  ...each('bc dc', () => say('fs.read')),
  ...each('sh bash dash ash zsh ksh mksh rbash', () => shell),
  ...each('pwsh powershell cmd fish csh tcsh nu xonsh elvish', () => say('shell.not_bash')),
  ...each('source .', () => source),
  ...each(
    'alias unalias enable hash',
    () => (args, notes) => notes.rule(args.every(({ value }) => value === '-p' || value === '-r') ? 'shell.builtin' : 'shell.redefines'),
  ),
  ['shopt', shopt],
  ...each('sudo doas su pkexec runuser gosu su-exec setpriv newgrp sg login', () => say('proc.privilege')),
  ...each(
    'mount umount unshare nsenter chroot pivot_root bwrap systemctl service init telinit shutdown reboot halt poweroff mkfs fdisk parted losetup modprobe insmod rmmod sysctl iptables nft swapon swapoff useradd userdel usermod passwd chpasswd visudo capsh dbus-send gdbus busctl xdg-open open launchctl',
    () => say('proc.escape'),
  ),
  ...each('docker docker-compose podman buildah nerdctl ctr crictl lxc minikube kind vagrant', () => say('proc.container')),
  ...each(
    'setsid nohup disown daemonize daemon at batch crontab systemd-run screen tmux dtach abduco pm2 forever supervisord start-stop-daemon',
    () => say('proc.daemonize'),
  ),
  ['kill', kill],
  ...each('pkill killall killall5 skill', () => say('proc.kill')),
  ...each('strace ltrace perf bpftrace', () => say('code.inline')),
  ['script', touches('write', { short: 'cEoOIBTmt', long: ['--command'] })],
]);

/** Whether a name means something that the table judges, so that a function of that name would hide it. */
export const isKnownProgram = (name: string): boolean => PROGRAMS.has(programName(name));

/** Where programs of the system are. */
const SYSTEM_BIN = /^\/(?:usr\/(?:local\/)?)?s?bin\/[^/]+$/;
const PROJECT_BIN = /(?:^|\/)(?:node_modules\/\.bin|\.venv\/bin|venv\/bin|vendor\/bin)\/([^/]+)$/;

/** Judges one command by the table of programs. What the shell itself does, redirects and assignments, is not judged here. */
export const judgeProgram = ({ words, stdin }: Pick<ShellCommand, 'words' | 'stdin'>, notes: Notes): void => {
  const [name, ...args] = words;
  if (name === undefined || name.value === null || name.braces) return;
  if (/[^\x20-\x7e]/.test(name.value)) {
    notes.rule('shell.confusable', name.source);
    return;
  }
  const known = PROGRAMS.get(programName(name.value));
  if (!name.value.includes('/') || SYSTEM_BIN.test(name.value)) {
    if (known) known(args, notes, stdin);
    else {
      notes.rule('program.unknown');
      notes.touch('read', ...args.filter(({ prefix }) => /^[/~]|^\.\.?(?:\/|$)/.test(prefix)));
    }
    return;
  }
  notes.touch('execute', name);
  if (PROJECT_BIN.test(name.value) && known) known(args, notes, stdin);
  else notes.touch('read', ...args.filter(({ prefix }) => /^[/~]|^\.\.(?:\/|$)/.test(prefix)));
};
