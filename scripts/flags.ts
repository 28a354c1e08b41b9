import { parseArgs, type ParseArgsConfig } from 'node:util';

/** Reads a script's flags. A wrong one ends the script with exit 1, what is wrong and how it is used; so does --help, with exit 0. */
export const readFlags = <const O extends NonNullable<ParseArgsConfig['options']>>(usage: string, options: O) => {
  try {
    const { values, positionals } = parseArgs({
      options: { ...options, help: { type: 'boolean', default: false } },
      allowPositionals: true,
    });
    if (!values.help) return { values: values as ReturnType<typeof parseArgs<{ options: O }>>['values'], positionals };
    process.stdout.write(usage);
  } catch (error) {
    process.stderr.write(`fairlead: ${(error as Error).message}\n\n${usage}`);
    process.exit(1);
  }
  process.exit(0);
};
