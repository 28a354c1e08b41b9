/** Reads a script's flags with `parseArgs`. A wrong one ends the script with exit 1, what is wrong and how it is used; --help with exit 0. */
export const readFlags = <T>(usage: string, read: () => T): T => {
  if (process.argv.includes('--help')) {
    process.stdout.write(usage);
    return process.exit(0);
  }
  try {
    return read();
  } catch (error) {
    process.stderr.write(`fairlead: ${(error as Error).message.split('. ')[0]}\n\n${usage}`);
    return process.exit(1);
  }
};
