// Runs one of our commands in a checkout that may be fresh: prepare, build, then the command in this same process, so that a
// signal to `npm run` reaches it with no shell in between.
import process from 'node:process';
import { build } from './build.mjs';
import { prepare } from './prepare.mjs';

const COMMANDS = {
  demo: () => import('./dist/demo.js'),
  stack: () => import('./dist/stack.js'),
  smoke: () => import('./dist/smoke.js'),
  agents: () => import('./dist/agents.js'),
  'record-agents': () => import('./dist/record-agents.js'),
  'model-server': () => import('./dist/model-server.js'),
  docs: () => import('./dist/docs.js'),
  bench: () => import('./dist/bench.js'),
  'test-agents': () => import('./dist/test-agents.js'),
  test: () => import('./test.mjs'),
  'test-hard': () => import('./test-hard.mjs'),
  build: () => {},
};

const [name] = process.argv.splice(2, 1);
const command = COMMANDS[name];
if (!command) {
  process.stderr.write(`fairlead: there is no command ${name}; there are ${Object.keys(COMMANDS).join(', ')}\n`);
  process.exitCode = 1;
} else if ((await prepare()) && (await build())) await command();
else process.exitCode = 1;
