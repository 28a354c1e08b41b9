import type { Handler } from './handler.ts';
import { hasOption, takeApart, valuesOf, listed } from './options.ts';
import { entersGit } from '../link.ts';
import { knownValue, literalWord, type ShellWord } from './words.ts';

/**
 * Where copies land in a folder, under their own names. Whether the last operand is a folder cannot be known; where it need not be one, only
 * names are taken that must not land anywhere.
 */
const landings = (sources: readonly ShellWord[], folder: ShellWord, certain: boolean): ShellWord[] => {
  const { value } = folder;
  if (value === null) return [];
  const into = certain || value.endsWith('/') || /(^|\/)\.{1,2}$/.test(value);
  return sources.flatMap(({ value: source }) => {
    const name = source?.replace(/\/+$/, '').split('/').at(-1) ?? '';
    return name !== '' && name !== '.' && (into || entersGit(name) || /^\.fairlead$/i.test(name)) ? [literalWord(`${value}/${name}`)] : [];
  });
};

/** `cp`, `install`: what comes before the last operand is read, the last is written. `mv` takes it away besides. */
export const copies =
  (from: 'read' | 'delete'): Handler =>
  (args, notes) => {
    const taken = takeApart(args, { short: 'tSmog', long: listed('--target-directory --suffix --mode --owner --group') });
    const folders = valuesOf(taken, '-t', '--target-directory');
    const sources = folders.length > 0 ? taken.operands : taken.operands.slice(0, -1);
    if (taken.uncertain) notes.rule('shell.dynamic_argument');
    notes.rule('fs.write');
    notes.touch(from, ...sources);
    notes.touch('write', ...folders, ...(folders.length > 0 ? [] : taken.operands.slice(-1)));
    if (hasOption(taken, '-d', '--directory')) notes.touch('write', ...sources);
    const folder = folders[0] ?? taken.operands.at(-1);
    if (folder) notes.touch('write', ...landings(sources, folder, folders.length > 0 || sources.length > 1));
    if (valuesOf(taken, '-m', '--mode').some(setsId)) notes.rule('fs.set_id');
    // A copy that keeps links can put one where later writes go through it.
    if (hasOption(taken, '-l', '--link', '-s', '--symbolic-link')) for (const source of sources) notes.touch('write', source);
  };

const setsId = ({ value }: ShellWord): boolean =>
  value !== null && (/^[2467]\d{3}$|^0[2467]\d{3}$/.test(value) || /[+=][rwxXt]*s/.test(value));

export const chmod: Handler = (args, notes) => {
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

export const link: Handler = (args, notes) => {
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

export const find: Handler = (args, notes) => {
  notes.rule('fs.read');
  const first = args.findIndex(({ prefix }) => /^[-(!]/.test(prefix) && !/^-[HLP]$/.test(prefix));
  const roots = args.slice(0, first === -1 ? args.length : first).filter(({ prefix }) => !prefix.startsWith('-'));
  notes.touch('read', ...roots);
  for (const [index, { value, prefix, glob }] of args.entries()) {
    if (value === '-delete') {
      notes.rule('fs.delete');
      notes.touch('delete', ...roots);
    }
    if (/^-(fprint0?|fprintf|fls)$/.test(prefix) && args[index + 1]) notes.touch('write', args[index + 1]!);
    if (value === null && prefix === '' && !glob) notes.rule('shell.dynamic_argument');
  }
};

export const dd: Handler = (args, notes) => {
  notes.rule('fs.write');
  for (const word of args) {
    const of = word.prefix.startsWith('of=');
    const rest = { ...word, value: word.value?.slice(3) ?? null, prefix: word.prefix.slice(3) };
    if (of) notes.touch('write', rest);
    else if (word.prefix.startsWith('if=')) notes.touch('read', rest);
    else if (word.value === null && word.prefix.length < 3) notes.rule('fs.dynamic_path');
  }
};

export const tar: Handler = (args, notes) => {
  const [first, ...more] = args;
  // The old form has its options without a dash.
  const bundle = /^[a-zA-Z]+$/.test(knownValue(first) ?? '');
  const words = first && bundle ? [{ ...first, value: `-${first.prefix}`, prefix: `-${first.prefix}` }, ...more] : args;
  const taken = takeApart(words, {
    short: 'fCTXbHKLNVg',
    long: listed('--file --directory --files-from --exclude --exclude-from --strip-components --transform --mtime --owner --group --mode'),
  });
  if (
    hasOption(
      taken,
      ...listed(
        '--checkpoint-action --to-command --use-compress-program --rsh-command --info-script --new-volume-script --rmt-command -I -F',
      ),
    )
  )
    notes.rule('proc.runs_program');
  if (taken.uncertain || taken.wild) notes.rule('shell.dynamic_argument');
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
