import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '@fairlead/e2e/rig/processes';
import { PROGRAMS } from '@fairlead/e2e/rig/programs';
import type { Stack } from '@fairlead/e2e/rig/stack';
import { figureOf, inPairs, type Figure } from './figures.ts';

const PAIRS = 21;

/** How long a command takes from nothing to its end, against node with an empty file. */
export const measureColdStart = async (stack: Stack): Promise<Figure[]> => {
  const empty = join(stack.home, 'empty.mjs');
  writeFileSync(empty, '');
  const timed = async (argv: readonly string[]): Promise<number> => {
    const started = performance.now();
    const { code, stderr } = await runCommand({ name: argv[1]!, argv, env: { FAIRLEAD_HOME: stack.home }, cwd: stack.home });
    if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}\n${stderr}`);
    return performance.now() - started;
  };
  const node = () => timed([process.execPath, empty]);
  const version = () => timed([...PROGRAMS.fairlead, '--version']);
  const status = () => timed([...PROGRAMS.fairlead, 'status']);
  for (const warm of [node, version, status]) await warm();
  return [
    figureOf('fairlead --version, cold', 'ms', await inPairs(PAIRS, version, node), { atMost: 2.2 }),
    figureOf('fairlead status, cold', 'ms', await inPairs(PAIRS, status, node), { atMost: 4 }),
  ];
};
