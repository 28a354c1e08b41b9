import { RELEASES } from './dev-tools.ts';
import type { Notes } from './notes.ts';
import { hasOption, takeApart, valuesOf, type ValueOptions, listed } from './options.ts';
import type { RuleId } from './rules.ts';
import { knownValue, type ShellWord } from './words.ts';

interface Manager {
  /** Files that say what its scripts do, of which any may be there. */
  readonly files: readonly string[];
  readonly takes?: ValueOptions;
  /** What its commands do; one that is not here does `otherwise`. */
  readonly verbs: Readonly<Record<string, RuleId>>;
  readonly otherwise: RuleId;
  /** Without any command. */
  readonly alone?: RuleId;
}

const verbs = (groups: Partial<Record<RuleId, string>>): Record<string, RuleId> =>
  Object.fromEntries(Object.entries(groups).flatMap(([rule, words]) => words.split(' ').map((word) => [word, rule as RuleId])));

/** Options with a folder in which a package manager works. */
const FOLDERS = listed('--prefix --dir --cwd -C --directory --manifest-path --project');

const nodeVerbs = verbs({
  'dev.run':
    'test t tst run run-script rum urn start stop restart build lint exec x dev check format typecheck fmt type-check bench coverage e2e test:unit workspaces foreach pack rebuild node',
  'fs.read':
    'ls list ll la why explain outdated view info show search help version audit fund root bin prefix doctor query ping docs repo bugs pkg -v --version licenses store',
  'pkg.install':
    'install i in isntall add ci clean-install install-test it install-ci-test update up upgrade upgrade-interactive dedupe ddp uninstall remove rm r un unlink link ln import patch patch-commit fetch prune approve-builds create init set plugin deploy',
  'pkg.foreign': 'dlx create-app',
  'pkg.publish':
    'publish unpublish deprecate dist-tag owner access token login logout adduser add-user team org star unstar profile hook stage trust',
  'pkg.system': 'config c get env cache',
});

const SYSTEM: Manager = {
  files: [],
  verbs: verbs({ 'fs.read': 'list search show info policy --version -l -L -s -q -Q depends rdepends' }),
  otherwise: 'pkg.system',
};

const python = verbs({
  'fs.read': 'list show freeze check --version version help debug inspect tree env index',
  'pkg.install': 'install uninstall download wheel add remove sync lock update upgrade init venv pip tool python self export create inject',
  'dev.run': 'run build shell test fmt lint',
  'pkg.publish': 'publish upload',
  'pkg.system': 'config cache auth',
});

const MANAGERS: Readonly<Record<string, Manager>> = {
  npm: {
    files: ['package.json'],
    takes: { short: 'wC', long: ['--prefix', '--workspace', '--registry', '--loglevel'] },
    verbs: nodeVerbs,
    otherwise: 'pkg.install',
    alone: 'fs.read',
  },
  pnpm: {
    files: ['package.json'],
    takes: { short: 'CF', long: listed('--dir --filter --reporter --loglevel --workspace-concurrency') },
    verbs: nodeVerbs,
    otherwise: 'dev.run',
    alone: 'fs.read',
  },
  yarn: { files: ['package.json'], takes: { long: ['--cwd'] }, verbs: nodeVerbs, otherwise: 'dev.run', alone: 'pkg.install' },
  bun: { files: ['package.json'], takes: { long: ['--cwd', '--filter'] }, verbs: nodeVerbs, otherwise: 'dev.run', alone: 'fs.read' },
  pip: { files: ['pyproject.toml', 'setup.py'], verbs: python, otherwise: 'pkg.install', alone: 'fs.read' },
  pip3: { files: ['pyproject.toml', 'setup.py'], verbs: python, otherwise: 'pkg.install', alone: 'fs.read' },
  pipx: { files: [], verbs: { ...python, run: 'pkg.foreign' }, otherwise: 'pkg.install', alone: 'fs.read' },
  uv: {
    files: ['pyproject.toml'],
    takes: { long: ['--directory', '--project'] },
    verbs: python,
    otherwise: 'pkg.install',
    alone: 'fs.read',
  },
  poetry: {
    files: ['pyproject.toml'],
    takes: { short: 'CP', long: ['--directory', '--project'] },
    verbs: python,
    otherwise: 'pkg.install',
    alone: 'fs.read',
  },
  pipenv: { files: ['Pipfile'], verbs: python, otherwise: 'pkg.install', alone: 'fs.read' },
  hatch: { files: ['pyproject.toml'], verbs: python, otherwise: 'pkg.install', alone: 'fs.read' },
  rye: { files: ['pyproject.toml'], verbs: python, otherwise: 'pkg.install', alone: 'fs.read' },
  pdm: { files: ['pyproject.toml'], verbs: python, otherwise: 'pkg.install', alone: 'fs.read' },
  cargo: {
    files: ['Cargo.toml', 'build.rs', '.cargo/config.toml'],
    takes: { short: 'CpFjZ', long: listed('--manifest-path --target-dir --config --package --features --color') },
    verbs: verbs({
      'dev.run': 'build b check c test t run r bench doc d clippy fmt clean nextest rustc rustdoc fix expand miri llvm-cov',
      'fs.read': 'tree metadata version --version search info locate-project pkgid help --list verify-project read-manifest',
      'pkg.install': 'add remove rm install uninstall update fetch vendor generate-lockfile new init',
      'pkg.publish': 'publish yank owner login logout package',
    }),
    otherwise: 'program.unknown',
    alone: 'fs.read',
  },
  go: {
    files: ['go.mod'],
    takes: { short: 'C' },
    verbs: verbs({
      'dev.run': 'build test vet fmt run fix tool generate clean',
      'fs.read': 'list version env doc help',
      'pkg.install': 'get install mod work',
      'pkg.publish': 'telemetry',
    }),
    otherwise: 'program.unknown',
    alone: 'fs.read',
  },
  bundle: {
    files: ['Gemfile'],
    verbs: verbs({
      'dev.run': 'exec',
      'fs.read': 'list show info check outdated --version',
      'pkg.install': 'install update add remove lock',
    }),
    otherwise: 'pkg.install',
    alone: 'pkg.install',
  },
  gem: {
    files: [],
    verbs: verbs({
      'fs.read': 'list search info environment --version',
      'pkg.install': 'install update uninstall build',
      'pkg.publish': 'push yank owner signin',
    }),
    otherwise: 'pkg.install',
    alone: 'fs.read',
  },
  composer: {
    files: ['composer.json'],
    takes: { short: 'd', long: ['--working-dir'] },
    verbs: verbs({
      'dev.run': 'run-script run exec test validate',
      'fs.read': 'show info outdated licenses diagnose --version',
      'pkg.install': 'install update require remove create-project',
    }),
    otherwise: 'dev.run',
    alone: 'fs.read',
  },
  mix: {
    files: ['mix.exs'],
    verbs: verbs({
      'dev.run': 'test compile format credo dialyzer run phx.server',
      'fs.read': 'help --version deps',
      'pkg.install': 'deps.get deps.update local.hex',
      'pkg.publish': 'hex.publish',
    }),
    otherwise: 'dev.run',
    alone: 'dev.run',
  },
  swift: {
    files: ['Package.swift'],
    verbs: verbs({ 'dev.run': 'build test run format', 'fs.read': '--version', 'pkg.install': 'package' }),
    otherwise: 'code.inline',
    alone: 'code.inline',
  },
  deno: {
    files: ['deno.json', 'deno.jsonc'],
    verbs: verbs({
      'dev.run': 'test lint fmt check task run bench doc',
      'fs.read': 'info --version',
      'pkg.install': 'add install remove cache',
      'code.inline': 'eval repl',
      'pkg.publish': 'publish deploy',
    }),
    otherwise: 'program.unknown',
    alone: 'code.inline',
  },
  conda: {
    files: ['environment.yml'],
    verbs: verbs({ 'fs.read': 'list info search --version', 'dev.run': 'run', 'pkg.install': 'install create remove update env activate' }),
    otherwise: 'pkg.install',
    alone: 'fs.read',
  },
  twine: { files: [], verbs: verbs({ 'fs.read': 'check' }), otherwise: 'pkg.publish', alone: 'fs.read' },
  nuget: { files: [], verbs: verbs({ 'fs.read': 'list search', 'pkg.publish': 'push' }), otherwise: 'pkg.install', alone: 'fs.read' },
};

/** Runners of packages: of the project where they are installed, else downloaded. */
const RUNNERS = new Set(['npx', 'pnpx', 'bunx', 'uvx']);
const judgeRunner = (args: readonly ShellWord[], notes: Notes): void => {
  const taken = takeApart(args, { short: 'pcw', long: listed('--package --call --workspace --from --with') }, true);
  notes.rule('dev.run');
  notes.executes('package.json');
  const [name] = taken.operands;
  const offline = hasOption(taken, '--no-install', '--no', '--offline');
  // A version, a scope or an address is something to download; what is known as a tool is taken for that of the project.
  const named = /^[a-z0-9][\w.-]*$/i.test(knownValue(name) ?? '');
  if (hasOption(taken, ...listed('-y --yes -p --package --from --with')) || (name !== undefined && !named && !offline))
    notes.rule('pkg.foreign');
};

/** Judges package managers and runners of packages. @param name of the program, in lower case */
export const judgeManager = (name: string, args: readonly ShellWord[], notes: Notes): void => {
  if (RUNNERS.has(name)) {
    judgeRunner(args, notes);
    return;
  }
  const { files, takes, verbs: known, otherwise, alone } = Object.hasOwn(MANAGERS, name) ? MANAGERS[name]! : SYSTEM;
  const taken = takeApart(args, takes, true);
  const [verb, ...rest] = taken.operands;
  if (taken.uncertain || verb?.value === null) {
    notes.rule('shell.dynamic_argument');
    return;
  }
  const versions = verb === undefined && args.length > 0 && args.every(({ value }) => /^(--version|-v|-V|--help|-h)$/.test(value ?? ''));
  const rule = versions
    ? 'fs.read'
    : verb === undefined
      ? (alone ?? otherwise)
      : Object.hasOwn(known, verb.value)
        ? known[verb.value]!
        : otherwise;
  notes.rule(rule);
  const all = takeApart(args, { ...takes, long: [...(takes?.long ?? []), ...FOLDERS.filter((one) => one.startsWith('--'))] });
  const folders = valuesOf(all, ...FOLDERS);
  notes.touch('read', ...folders);
  if (hasOption(all, '--script-shell', '--node-options', '--scripts-prepend-node-path', '--toolexec', '-toolexec'))
    notes.rule('proc.runs_program');
  notes.touch('write', ...valuesOf(takeApart(args, { short: 'o' }), '-o'));
  if (rule !== 'dev.run') return;
  // An address or a version behind the command is something to download and run.
  if (rest.some(({ prefix }) => /^[a-z]+:\/\//i.test(prefix) || (name === 'go' && /[^@]@[\w.]+$/.test(prefix)))) notes.rule('pkg.foreign');
  const folder = knownValue(folders[0]);
  const base = folder === undefined || folder.endsWith('.toml') ? '' : `${folder.replace(/\/+$/, '')}/`;
  notes.executes(...files.map((file) => `${base}${file}`));
  const script = /^(run|run-script|rum|urn|task)$/.test(verb?.value ?? '') ? takeApart(rest, {}, true).operands[0] : verb;
  if (script?.value === null) notes.rule('shell.dynamic_argument');
  else if (script !== undefined && RELEASES.test(script.value)) notes.rule('release.run');
  if (name === 'go' || name === 'deno') notes.touch('read', ...rest.filter(({ prefix }) => /^[/~]|^\.\.(?:\/|$)/.test(prefix)));
};
