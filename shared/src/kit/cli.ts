import type { Command, CommanderError } from 'commander';
import { FairleadError } from '../contract/errors.ts';
import { EXIT, type ExitCode } from '../contract/states.ts';
import { printable, printableJson } from './printable.ts';

/** What commands print to: `process.stdout` and `process.stderr` fit, and so does a test's own. */
export interface TextSink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

const COLOURS = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
export type Colour = keyof typeof COLOURS;

/** The one way in which commands speak. Results go to stdout, everything else to stderr. */
export interface Output {
  readonly json: boolean;
  /** The result of the command: exactly one JSON document with `--json`, else text for people. May be called once. */
  result(value: unknown, human: string | (() => string)): void;
  /** One of many results that come over time: a JSON document per line with `--json`, else a line for people. */
  item(value: unknown, human: string | (() => string)): void;
  /** A remark for people. */
  note(text: string): void;
  /** What is being done at the moment. */
  progress(text: string): void;
  /** Rows as aligned columns; the first row is the heading. Cells are made printable. */
  table(rows: readonly (readonly string[])[]): string;
  colour(colour: Colour, text: string): string;
}

export interface OutputOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  /** Default: only on a terminal. The caller looks at NO_COLOR, because only `config` and `main` read the environment. */
  readonly color?: boolean;
  readonly stdout: TextSink;
  readonly stderr: TextSink;
}

/** Columns that a cell takes: code points, which is right for all but wide and combining characters. */
const widthOf = (cell: string): number => Array.from(cell).length;

const textOf = (human: string | (() => string)): string => (typeof human === 'string' ? human : human());

export const createOutput = ({ json = false, quiet = false, color, stdout, stderr }: OutputOptions): Output => {
  const coloured = color ?? stdout.isTTY === true;
  let said = false;
  const aside = (text: string) => {
    if (!quiet) stderr.write(`${text}\n`);
  };
  const item = (value: unknown, human: string | (() => string)) => {
    const text = json ? printableJson(value) : textOf(human);
    if (json || text !== '') stdout.write(`${text}\n`);
  };
  const colour = (name: Colour, text: string) => (coloured && !json ? `\u001b[${COLOURS[name]}m${text}\u001b[0m` : text);
  return {
    json,
    item,
    colour,
    note: aside,
    progress: aside,
    result(value, human) {
      if (said) throw new TypeError('a command has one result');
      said = true;
      item(value, human);
    },
    table(rows) {
      const cells = rows.map((row) => row.map((cell) => printable(cell)));
      const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => widthOf(row[column] ?? ''))));
      const line = (row: readonly string[]) =>
        row
          .map((cell, column) => cell + ' '.repeat(widths[column]! - widthOf(cell)))
          .join('  ')
          .trimEnd();
      return cells.map((row, index) => (index === 0 ? colour('bold', line(row)) : line(row))).join('\n');
    },
  };
};

/** Ends a command with an exit code, once it has said all it had to say. */
export class CommandEnd extends Error {
  override readonly name = 'CommandEnd';
  readonly exit: ExitCode;

  constructor(exit: ExitCode) {
    super(`exit ${exit}`);
    this.exit = exit;
  }
}

/** Shows an error: with `--json` the problem document is the one document on stdout, else words on stderr. */
const showError = (error: unknown, json: boolean, { stdout, stderr }: Pick<OutputOptions, 'stdout' | 'stderr'>): ExitCode => {
  const known =
    error instanceof FairleadError
      ? error
      : new FairleadError('internal', { detail: error instanceof Error ? error.message : String(error), cause: error });
  if (json) {
    stdout.write(`${printableJson(known.toProblem())}\n`);
    return known.exit;
  }
  const { title, detail, field, rule, hint, code } = known.toProblem();
  const lines = [`error: ${title} (${code})`];
  if (detail !== undefined && detail !== title) lines.push(`  ${detail}`);
  if (field !== undefined && !detail?.includes(field)) lines.push(`  field: ${field}`);
  if (rule !== undefined && !detail?.includes(rule)) lines.push(`  rule: ${rule}`);
  if (hint !== undefined) lines.push(`  ${hint}`);
  stderr.write(`${lines.map((line) => printable(line)).join('\n')}\n`);
  return known.exit;
};

const everyCommand = (command: Command): Command[] => [command, ...command.commands.flatMap(everyCommand)];
const isCommanderError = (error: unknown): error is CommanderError =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('commander.');

/**
 * Runs a commander program and answers its exit code; it never ends the process. Usage errors name the nearest command or option and
 * exit 1; a FairleadError exits as its table says.
 * @param argv as in `process.argv`, with the first two entries
 */
export const runCli = async (
  program: Command,
  argv: readonly string[],
  streams: { readonly stdout: TextSink; readonly stderr: TextSink },
): Promise<ExitCode> => {
  const words = argv.slice(2);
  const end = words.indexOf('--');
  const json = (end < 0 ? words : words.slice(0, end)).includes('--json');
  for (const command of everyCommand(program)) {
    command.exitOverride();
    command.configureOutput({
      writeOut: (text) => void streams.stdout.write(text),
      // With --json the problem document says it, and nothing else may.
      writeErr: (text) => void (json || streams.stderr.write(printable(text, { multiline: true }))),
    });
  }
  try {
    await program.parseAsync(argv);
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommandEnd) return error.exit;
    if (!isCommanderError(error)) return showError(error, json, streams);
    if (error.exitCode === 0) return EXIT.ok;
    if (json) {
      const detail = error.code === 'commander.help' ? 'A command is missing.' : error.message.replace(/^error: /, '');
      showError(new FairleadError('invalid_input', { detail, hint: 'Run the command with --help.' }), json, streams);
    }
    return EXIT.usage;
  }
};

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * A duration such as `90`, `90s`, `10m`, `2h`, `7d` or `250ms` in milliseconds; a bare number is seconds.
 * @throws FairleadError `invalid_input`
 */
export const parseDuration = (text: string, field = 'duration'): number => {
  const match = /^([0-9]{1,9})(ms|s|m|h|d)?$/.exec(text.trim());
  if (!match)
    throw new FairleadError('invalid_input', {
      field,
      rule: 'must be a number with ms, s, m, h or d',
      detail: `${field}: "${printable(text)}" is no duration; write 90s, 10m, 2h or 7d.`,
    });
  return Number(match[1]) * UNITS[match[2] ?? 's']!;
};
