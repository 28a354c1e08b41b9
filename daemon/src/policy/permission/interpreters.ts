import type { Handler } from './handler.ts';
import { judgeManager } from './managers.ts';
import { hasOption, takeApart, valuesOf, type ValueOptions, listed } from './options.ts';

/** An interpreter: code after one of these options, else a file, else what it reads. */
export const interpreter =
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
      ...valuesOf(taken, ...listed('-r --require --import --loader --experimental-loader -I')).filter(({ prefix }) =>
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

export const python = interpreter(['-c'], { short: 'cmWXQ', long: ['--check-hash-based-pycs'] }, true);
export const node = interpreter(['-e', '--eval', '-p', '--print', '-pe'], {
  short: 'eprCI',
  long: listed(
    '--eval --print --require --import --loader --experimental-loader --conditions --env-file --test-reporter --test-name-pattern',
  ),
});
export const perl = interpreter(['-e', '-E', '-n', '-p'], { short: 'eEIMmxC' });

/** A shell with a script; code and pipes are read by the shell reader itself. */
export const shell: Handler = (args, notes, stdin) => {
  const taken = takeApart(args, { short: 'oO' }, true);
  const [script] = taken.operands.filter(({ prefix }) => !prefix.startsWith('+'));
  if (hasOption(taken, '-c') || hasOption(taken, '--version', '--help')) notes.rule('shell.builtin');
  else if (script && !hasOption(taken, '-s')) notes.touch('execute', script);
  else if (stdin.kind === 'file') notes.touch('execute', stdin.file);
  else notes.rule('shell.builtin');
};

export const source: Handler = (args, notes) => {
  const [file] = args.filter(({ value }) => value !== '--');
  if (file) notes.touch('execute', file);
  else notes.rule('shell.builtin');
};
