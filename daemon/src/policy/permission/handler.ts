import type { Notes } from './notes.ts';
import { hasOption, takeApart, valuesOf, type ValueOptions } from './options.ts';
import type { RuleId } from './rules.ts';
import type { Stdin } from './shell.ts';
import type { ShellWord } from './words.ts';

/** What is known of one program: notes what its arguments would do. */
export type Handler = (args: readonly ShellWord[], notes: Notes, stdin: Stdin) => void;

/** A program that is decided by its name. */
export const say =
  (...rules: readonly RuleId[]): Handler =>
  (_args, notes) =>
    rules.forEach((rule) => notes.rule(rule));

/** A program that reads its operands and writes nothing but its output. @param writes options whose value is a file it writes */
export const reads =
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
export const touches =
  (how: 'write' | 'delete', takes: ValueOptions = {}): Handler =>
  (args, notes) => {
    const { operands, uncertain } = takeApart(args, takes);
    if (uncertain) notes.rule('shell.dynamic_argument');
    notes.rule(how === 'delete' ? 'fs.delete' : 'fs.write');
    notes.touch(how, ...operands);
  };
