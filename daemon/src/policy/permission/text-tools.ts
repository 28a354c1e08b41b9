import type { Handler } from './handler.ts';
import { hasOption, takeApart, valuesOf, listed } from './options.ts';

/** `sed` scripts that only print, delete and substitute. What else there is may run programs (`e`) or write files (`w`). */
const SED_COMMAND = String.raw`(?:(?:\d+|\$|/(?:[^/\\\n]|\\.)*/I?)(?:,(?:[+~]?\d+|\$|/(?:[^/\\\n]|\\.)*/I?))?)?\s*!?\s*(?:[pdDPnNqQ=]\d*|s([/|#,:@!])(?:(?!\1)[^\\\n]|\\.)*\1(?:(?!\1)[^\\\n]|\\.)*\1[gpiI\d]*)`;
const SED_SAFE = new RegExp(String.raw`^\s*${SED_COMMAND}\s*$`);

export const sed: Handler = (args, notes) => {
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

export const awk: Handler = (args, notes) => {
  const taken = takeApart(
    args,
    { short: 'Fvfiel', long: listed('--field-separator --assign --file --source --include --load --exec') },
    true,
  );
  const files = valuesOf(taken, ...listed('-f --file -i --include -l --load --exec'));
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
