import process from 'node:process';
import { closeInherited } from './process/inherited.ts';
import { version } from '../package.json' with { type: 'json' };

const main = async (): Promise<number> => {
  const { argv, stdout, stderr } = process;
  // Asked so often, by scripts and by people, that it loads nothing else.
  if (argv.length === 3 && argv[2] === '--version') {
    stdout.write(`${version}\n`);
    return 0;
  }
  closeInherited();
  const [{ createProgram }, { runCli }] = await Promise.all([import('./cli/program.ts'), import('@fairlead/shared/kit/cli')]);
  const about: Parameters<typeof createProgram>[1] = {
    version,
    start: async (order) => (await import('./daemon.ts')).startDaemon(order),
    examine: async (home) => (await import('./daemon/history-check.ts')).examineHistory(home),
  };
  return runCli(createProgram({ stdout, stderr }, about), argv, { stdout, stderr });
};

process.exitCode = await main();
