import type { Notes } from './notes.ts';
import { hasOption, takeApart, valuesOf, type Arguments, type ValueOptions, listed } from './options.ts';
import type { RuleId } from './rules.ts';
import { knownValue, type ShellWord } from './words.ts';

interface Verb {
  readonly takes?: ValueOptions;
  readonly judge: (args: Arguments, notes: Notes, words: readonly ShellWord[]) => void;
}

/** Options with which commands of git start programs, whatever the command. Abbreviations count. */
const RUNS = listed(
  '--ext-diff --textconv --upload-pack --receive-pack --exec --extcmd --open-files-in-pager --gpg-sign --show-signature --filters',
);
const WRITES = ['--output', '--output-directory'];
/** Options that read as a beginning of one of those and are harmless. */
const HARMLESS = new Set(['--text', '--exec-path']);

const read = (takes: ValueOptions = {}, more?: Verb['judge']): Verb => ({
  takes,
  judge: (args, notes, words) => {
    notes.rule('git.read');
    if (args.uncertain) notes.rule('git.dynamic_argument');
    notes.touch('read', ...args.operands.filter(({ prefix }) => /^[/~]|^\.\.?(?:\/|$)/.test(prefix)));
    more?.(args, notes, words);
  },
});

/** A reading form of a command that otherwise writes. */
const onlyReads = (reads: (args: Arguments) => boolean, otherwise: RuleId, takes: ValueOptions = {}): Verb => ({
  takes,
  judge: (args, notes) => {
    if (args.uncertain || !reads(args)) notes.rule(otherwise);
    else notes.rule('git.read');
  },
});

const firstIs =
  (...words: readonly string[]) =>
  ({ operands }: Arguments): boolean =>
    words.includes(operands[0]?.value ?? '');

/** One plain name of a branch: nothing that git reads as a revision, a refspec or an option. */
const isBranchName = (name: string): boolean =>
  /^[\w][\w./-]*$/.test(name) && !/\.\.|\/\/|^refs\/|\/$|\.$|\.lock$|(^|\/)\./.test(name) && !/^([A-Z]+_)?HEAD$/i.test(name);
const PROTECTED_BRANCHES = /^(main|master|trunk|develop|development|staging|production|release|stable)$|^(release|hotfix)\//i;

const switchTo: Verb['judge'] = (args, notes) => {
  const created = valuesOf(args, '-c', '--create');
  const names = args.operands;
  const name = created[0] ?? names[0];
  const known = args.options.every(({ name: option }) => ['-c', '--create', '-q', '--quiet'].includes(option));
  const one = created.length === 1 ? names.length === 0 : created.length === 0 && names.length === 1;
  const chosen = knownValue(name);
  const plain = chosen !== undefined && isBranchName(chosen);
  if (args.uncertain || !known || !one || !plain || (created.length === 1 && PROTECTED_BRANCHES.test(chosen))) notes.rule('git.branch');
  else notes.rule('git.switch');
};

const BRANCH_LISTS = listed(
  '-a --all -r --remotes -l --list -v --verbose --show-current --merged --no-merged --contains --no-contains --points-at --sort --format --color --no-color --column --no-column --ignore-case -i --abbrev --no-abbrev',
);

const branch: Verb['judge'] = (args, notes) => {
  const queries = args.options.some(({ name }) =>
    listed('--list -l --merged --no-merged --contains --no-contains --points-at').includes(name),
  );
  const lists = args.options.every(({ name }) => BRANCH_LISTS.includes(name)) && (args.operands.length === 0 || queries);
  notes.rule(lists && !args.uncertain ? 'git.read' : 'git.branch');
};

const add: Verb['judge'] = (args, notes) => {
  const all = hasOption(args, '-A', '--all', '-u', '--update');
  const known = args.options.every(({ name }) =>
    listed('-A --all -u --update -v --verbose -n --dry-run -N --intent-to-add --renormalize --ignore-errors').includes(name),
  );
  notes.rule('git.stage');
  if (!known || args.uncertain || (args.operands.length === 0 && !all)) notes.rule('git.pathspec');
  for (const word of args.operands) {
    if (word.prefix.startsWith(':') || (word.value === '' && !word.glob) || (word.value === null && !word.glob))
      notes.rule('git.pathspec', word.source);
    notes.touch('stage', word);
  }
};

const commit: Verb['judge'] = (args, notes) => {
  notes.rule('git.stage');
  if (hasOption(args, '--amend', '--fixup', '--squash')) notes.rule('git.history_rewrite');
  if (hasOption(args, '-n', '--no-verify')) notes.rule('git.skip_hooks');
  if (hasOption(args, ...listed('-S -e --edit -p --patch --interactive'))) notes.rule('proc.runs_program');
  if (args.uncertain) notes.rule('git.dynamic_argument');
  notes.touch('read', ...valuesOf(args, '-F', '--file', '-t', '--template', '--pathspec-from-file').filter(({ value }) => value !== '-'));
};

const fetch: Verb['judge'] = (args, notes) => {
  const known = args.options.every(({ name }) =>
    listed('-p --prune -v --verbose -q --quiet --all -t --tags --no-tags --depth --dry-run').includes(name),
  );
  const plain = args.operands.every(({ value }) => value !== null && /^[\w][\w./-]*$/.test(value));
  notes.rule(known && plain && !args.uncertain ? 'git.remote_read' : 'git.remote_shape');
};

const pull: Verb['judge'] = (args, notes) => {
  const known = args.options.every(({ name }) => listed('--ff-only -q --quiet -v --verbose').includes(name));
  const plain = args.operands.every(({ value }) => value !== null && /^[\w][\w./-]*$/.test(value));
  notes.rule(known && plain && hasOption(args, '--ff-only') && !args.uncertain ? 'git.remote_read' : 'git.remote_shape');
};

const verb = (rule: RuleId): Verb => ({ judge: (_args, notes) => notes.rule(rule) });

const LOG: ValueOptions = {
  short: 'nSGLUlO',
  long: listed('--author --grep --since --until --after --before --format --max-count --skip --word-diff-regex --diff-filter'),
};
const noIndex: Verb['judge'] = (args, notes) => {
  if (hasOption(args, '--no-index')) notes.touch('read', ...args.operands);
};

/** Commands of git. What is not here is denied as `git.verb`. */
const VERBS: Readonly<Record<string, Verb>> = {
  status: read(),
  diff: read(LOG, noIndex),
  log: read(LOG),
  show: read(LOG),
  'rev-parse': read(),
  'ls-files': read({ short: 'xXz', long: ['--exclude', '--exclude-from'] }),
  'ls-tree': read(),
  blame: read({ short: 'L' }),
  annotate: read({ short: 'L' }),
  'cat-file': read(),
  'merge-base': read(),
  'rev-list': read(LOG),
  describe: read(),
  shortlog: read(),
  'name-rev': read(),
  'for-each-ref': read(),
  'show-ref': read(),
  'show-branch': read(),
  'diff-tree': read(LOG),
  'diff-index': read(LOG),
  'diff-files': read(LOG),
  'check-ignore': read(),
  'check-attr': read(),
  'count-objects': read(),
  cherry: read(),
  'range-diff': read(),
  whatchanged: read(LOG),
  version: read(),
  '--version': read(),
  help: read(),
  var: read(),
  grep: read({ short: 'efABCm', long: ['--max-depth', '--threads'] }, (args, notes) => {
    if (args.options.some(({ name }) => name === '-O')) notes.rule('proc.runs_program');
  }),
  reflog: onlyReads(({ operands }) => operands.length === 0 || firstIs('show')({ operands } as Arguments), 'git.history_rewrite'),
  stash: onlyReads(firstIs('list', 'show'), 'git.discard'),
  worktree: onlyReads(firstIs('list'), 'git.verb'),
  notes: onlyReads(({ operands }) => operands.length === 0 || ['list', 'show'].includes(operands[0]!.value ?? ''), 'git.verb'),
  remote: onlyReads((args) => args.operands.length === 0 || firstIs('get-url')(args), 'git.config'),
  submodule: onlyReads(firstIs('status', 'summary'), 'git.verb'),
  'symbolic-ref': onlyReads(
    ({ operands, options }) => operands.length === 1 && options.every(({ name }) => ['-q', '--quiet', '--short'].includes(name)),
    'git.branch',
  ),
  tag: onlyReads(
    (args) =>
      hasOption(args, ...listed('-l --list --contains --points-at --merged --no-merged')) ||
      (args.operands.length === 0 && args.options.every(({ name }) => ['-n', '--sort', '--format', '--column'].includes(name))),
    'git.verb',
    { long: listed('--contains --points-at --merged --no-merged --sort --format') },
  ),
  config: onlyReads(
    (args) =>
      args.options.every(({ name }) =>
        listed(
          '-l --list --get --get-all --get-regexp --show-origin --show-scope --name-only -z --local --type --bool --int --path',
        ).includes(name),
      ) &&
      (args.options.some(({ name }) => listed('-l --list --get --get-all --get-regexp').includes(name)) || firstIs('get', 'list')(args)),
    'git.config',
    { long: ['--get', '--get-all', '--get-regexp', '--type'] },
  ),
  branch: {
    takes: { long: listed('--sort --format --contains --no-contains --merged --no-merged --points-at') },
    judge: branch,
  },
  switch: { takes: { short: 'cC', long: ['--create', '--force-create', '--orphan'] }, judge: switchTo },
  add: { judge: add },
  stage: { judge: add },
  commit: {
    takes: {
      short: 'mFCct',
      long: listed(
        '--message --file --author --date --template --reuse-message --reedit-message --trailer --cleanup --fixup --squash --pathspec-from-file',
      ),
    },
    judge: commit,
  },
  rm: {
    judge: (args, notes) => {
      notes.rule(args.uncertain ? 'git.dynamic_argument' : 'git.stage');
      notes.touch('delete', ...args.operands);
    },
  },
  mv: {
    judge: (args, notes) => {
      notes.rule(args.uncertain ? 'git.dynamic_argument' : 'git.stage');
      notes.touch('write', ...args.operands);
    },
  },
  fetch: { takes: { short: 'jo', long: ['--depth', '--jobs'] }, judge: fetch },
  pull: { judge: pull },
  'ls-remote': {
    judge: (args, notes) =>
      notes.rule(
        args.operands.every(({ value }) => value !== null && /^[\w][\w./-]*$/.test(value)) ? 'git.remote_read' : 'git.remote_shape',
      ),
  },
  push: verb('git.push'),
  'send-pack': verb('git.push'),
  'send-email': verb('git.push'),
  'request-pull': verb('git.push'),
  svn: verb('git.push'),
  p4: verb('git.push'),
  checkout: verb('git.discard'),
  restore: verb('git.discard'),
  reset: verb('git.discard'),
  clean: verb('git.discard'),
  'checkout-index': verb('git.discard'),
  'read-tree': verb('git.discard'),
  'sparse-checkout': verb('git.discard'),
  rebase: verb('git.history_rewrite'),
  merge: verb('git.history_rewrite'),
  'cherry-pick': verb('git.history_rewrite'),
  revert: verb('git.history_rewrite'),
  am: verb('git.history_rewrite'),
  'filter-branch': verb('git.history_rewrite'),
  'filter-repo': verb('git.history_rewrite'),
  'fast-import': verb('git.history_rewrite'),
  replace: verb('git.history_rewrite'),
  'update-ref': verb('git.history_rewrite'),
  gc: verb('git.history_rewrite'),
  prune: verb('git.history_rewrite'),
  bisect: verb('git.history_rewrite'),
  difftool: verb('proc.runs_program'),
  mergetool: verb('proc.runs_program'),
  daemon: verb('proc.daemonize'),
  instaweb: verb('proc.daemonize'),
};

/** Settings given with `-c` that choose no program and no file. */
const SAFE_SETTING =
  /^(?:color\.[\w.]+|core\.quotepath|core\.pager=(?:cat|)$|advice\.\w+|user\.(?:name|email)|commit\.gpgsign=false$|log\.\w+|diff\.(?:renames|algorithm|context|noprefix|mnemonicprefix)|status\.\w+|i18n\.\w+|init\.defaultbranch|safe\.directory)(?:=|$)/i;

/** Judges a command of git. @param args what stands after the word `git` */
export const judgeGit = (args: readonly ShellWord[], notes: Notes): void => {
  const global = takeApart(
    args,
    { short: 'cC', long: listed('--git-dir --work-tree --namespace --config-env --super-prefix --attr-source') },
    true,
  );
  if (global.uncertain) notes.rule('git.dynamic_argument');
  for (const { name, value } of global.options) {
    if (name === '-C') {
      if (value === undefined || value.value === null) notes.rule('git.dynamic_argument', `-C ${value?.source ?? ''}`);
      else notes.touch('read', value);
    } else if (name === '-c') {
      if (!SAFE_SETTING.test(knownValue(value) ?? '')) notes.rule('proc.runs_program', `-c ${value?.source ?? ''}`);
    } else if (['--git-dir', '--work-tree', '--namespace', '--super-prefix'].includes(name)) notes.rule('git.other_repository', name);
    else if (name === '--exec-path' && value === undefined) notes.rule('git.read');
    else if (
      !listed('--no-pager --literal-pathspecs --no-optional-locks --no-replace-objects --version --help -h -v --bare -P').includes(name)
    )
      notes.rule('proc.runs_program', name);
  }
  const [word, ...rest] = global.operands;
  if (word === undefined) {
    notes.rule('git.read');
    return;
  }
  const known = word.value !== null && Object.hasOwn(VERBS, word.value) ? VERBS[word.value]! : undefined;
  if (known === undefined) {
    notes.rule(word.value === null ? 'shell.dynamic_command' : 'git.verb', `git ${word.source}`);
    return;
  }
  const taken = takeApart(rest, known.takes);
  const options = { options: taken.options.filter(({ name }) => !HARMLESS.has(name)) };
  if (hasOption(options, ...RUNS)) notes.rule('proc.runs_program');
  if (hasOption(options, ...WRITES)) notes.rule('git.writes_file');
  known.judge(taken, notes, rest);
};
