import type { ShellWord } from './words.ts';

/** Options of a program that take a value: short ones as letters, long ones with their dashes. */
export interface ValueOptions {
  readonly short?: string;
  readonly long?: readonly string[];
}

/** One option as written: `-n5` and `-n 5` alike. */
interface Option {
  /** `-n` or `--lines`. */
  readonly name: string;
  /** The value where there is one; also that of `--name=value` for options that are not declared. */
  readonly value: ShellWord | undefined;
}

/** Arguments of a program, taken apart the way `getopt_long` does. */
export interface Arguments {
  readonly options: readonly Option[];
  readonly operands: readonly ShellWord[];
  /** Whether an argument before `--` is computed from its first character on, so that it may be an option. */
  readonly uncertain: boolean;
  /** Whether an argument before `--` begins with a wildcard, so that a file with the name of an option becomes one. */
  readonly wild: boolean;
}

/** A list of names, written with a blank between them: tables of options are read by people. */
export const listed = (names: string): string[] => names.split(' ');

const part = (word: ShellWord, from: number): ShellWord => ({
  ...word,
  source: word.value === null ? word.source : word.value.slice(from),
  value: word.value === null ? null : word.value.slice(from),
  prefix: word.prefix.slice(from),
});

/**
 * Takes arguments apart.
 * @param untilOperand stops at the first operand, as programs do that start others
 */
export const takeApart = (words: readonly ShellWord[], takes: ValueOptions = {}, untilOperand = false): Arguments => {
  const options: Option[] = [];
  const operands: ShellWord[] = [];
  let uncertain = false;
  let wild = false;
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at]!;
    const { prefix, value } = word;
    if (value === '--') {
      at++;
      operands.push(...words.slice(at));
      break;
    }
    if (!prefix.startsWith('-') || value === '-') {
      if (value === null && prefix === '' && word.glob) wild = true;
      else if (value === null && prefix === '') uncertain = true;
      if (untilOperand) break;
      operands.push(word);
      continue;
    }
    if (prefix.startsWith('--')) {
      const equals = prefix.indexOf('=');
      if (equals > 0) options.push({ name: prefix.slice(0, equals), value: part(word, equals + 1) });
      else if (value === null) uncertain = true;
      else options.push({ name: value, value: takes.long?.includes(value) ? words[++at] : undefined });
      continue;
    }
    if (value === null) uncertain = true;
    for (let letter = 1; letter < prefix.length; letter++) {
      const name = `-${prefix[letter]!}`;
      if (!takes.short?.includes(prefix[letter]!)) {
        options.push({ name, value: undefined });
        continue;
      }
      const attached = letter + 1 < prefix.length || value === null;
      options.push({ name, value: attached ? part(word, letter + 1) : words[++at] });
      break;
    }
  }
  return { options, operands: untilOperand ? words.slice(at) : operands, uncertain, wild };
};

/**
 * Whether an option was given, by its full long name or by a beginning of it, because `getopt_long` takes those too; as
 * `--forc` for `--force`.
 */
export const hasOption = ({ options }: Pick<Arguments, 'options'>, ...names: readonly string[]): boolean =>
  options.some(({ name }) => names.some((one) => name === one || (one.startsWith('--') && name.length >= 3 && one.startsWith(name))));

/** Values of an option, in order. */
export const valuesOf = ({ options }: Pick<Arguments, 'options'>, ...names: readonly string[]): ShellWord[] =>
  options.flatMap(({ name, value }) =>
    value !== undefined && names.some((one) => name === one || (one.startsWith('--') && name.length >= 3 && one.startsWith(name)))
      ? [value]
      : [],
  );
