// The long suites, `*.hard.ts`: attacks, kills, fuzzing and load that do not fit into ten minutes. Arguments go to vitest, so
// `npm run test:hard -- connector` plays those of one package.
import process from 'node:process';
import { conclude, runTests } from './test-run.mjs';

process.exitCode = conclude(await runTests(['--config', 'vitest-hard.config.ts', ...process.argv.slice(2)]));
