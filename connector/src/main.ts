import process from 'node:process';
import { version } from '../package.json' with { type: 'json' };

const main = async (): Promise<number> => {
  const { argv, stdout, stderr } = process;
  // Asked so often, by scripts and by people, that it loads nothing else.
  if (argv.length === 3 && argv[2] === '--version') {
    stdout.write(`${version}\n`);
    return 0;
  }
  const [{ createProgram }, { runCli }] = await Promise.all([import('./cli/program.ts'), import('@fairlead/shared/kit/cli')]);
  const run: Parameters<typeof createProgram>[1]['run'] = async (parts) => (await import('./connector.ts')).runConnector(parts);
  return runCli(createProgram({ stdout, stderr }, { version, run }), argv, { stdout, stderr });
};

process.exitCode = await main();
