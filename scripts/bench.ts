import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createOutput } from '@fairlead/shared/kit/cli';
import { ROOT } from '@fairlead/e2e/rig/programs';
import { closeOnSignal, raiseStack } from '@fairlead/e2e/rig/stack';
import { measureAgents } from './bench/agents.ts';
import { measureArtifact } from './bench/artifact.ts';
import { measureBusy } from './bench/busy.ts';
import { measureColdStart } from './bench/cold-start.ts';
import { measureLedger } from './bench/durability.ts';
import type { Figure } from './bench/figures.ts';
import { measurePath } from './bench/path.ts';
import { measureIdle, measureReconnect, measureWaiting } from './bench/relay.ts';
import { measureSteps } from './bench/steps.ts';
import { measureWorkspaces } from './bench/workspaces.ts';
import { endingWell } from './ending.ts';
import { readFlags } from './flags.ts';

const USAGE = `npm run bench -- [path] [artifact] [idle] [reconnect] [waiting] [cold] [ledger] [step] [busy] [workspace] [agents] [--json]

Measures Fairlead against baselines on this machine, in interleaved pairs, all parts as processes of their own. Without
names it measures everything, which takes about ten minutes.
`;

const TMPFS = 0x01021994;
const TMPFS_PAIRS = 15;
const DISK_PAIRS = 7;

const NAMES = ['path', 'artifact', 'idle', 'reconnect', 'waiting', 'cold', 'ledger', 'step', 'busy', 'workspace', 'agents'] as const;

const { values, positionals } = readFlags(USAGE, () => {
  const read = parseArgs({ options: { json: { type: 'boolean', default: false } }, allowPositionals: true });
  const unknown = read.positionals.find((name) => !NAMES.some((known) => known === name));
  if (unknown !== undefined) throw new Error(`there is no measurement ${unknown}; there are ${NAMES.join(', ')}`);
  return read;
});
const wants = (name: (typeof NAMES)[number]) => positionals.length === 0 || positionals.includes(name);

const isTmpfs = (folder: string): boolean => {
  try {
    return statfsSync(folder).type === TMPFS;
  } catch {
    return false;
  }
};

/** A folder in memory, if this machine has one, and one on a disk: a durable write means nothing in memory. */
const memory = ['/dev/shm', tmpdir()].find(isTmpfs);
const disk = isTmpfs(tmpdir()) ? join(ROOT, 'node_modules', '.fairlead') : tmpdir();

const measure = async (note: (text: string) => void): Promise<Figure[]> => {
  const figures: Figure[] = [];
  const add = (...measured: Figure[]) => {
    figures.push(...measured);
    for (const { name, value, baseline, unit, ratio, limit, ok } of measured)
      note(`${ok ? 'ok  ' : 'MISS'} ${name}: ${value} against ${baseline} ${unit}, ${ratio}x${limit === null ? '' : ` (${limit})`}`);
  };
  if (wants('path') || wants('cold')) {
    const stack = await raiseStack({ env: { FAIRLEAD_RELAY_PLANNER_RATE: '100000000' } });
    closeOnSignal(stack);
    try {
      if (wants('path')) add(...(await measurePath(stack)));
      if (wants('cold')) add(...(await measureColdStart(stack)));
    } finally {
      await stack.close();
    }
  }
  if (wants('artifact')) add(...(await measureArtifact(disk)));
  if (wants('idle')) add(...(await measureIdle(note)));
  if (wants('reconnect')) add(...(await measureReconnect(note)));
  if (wants('waiting')) add(...(await measureWaiting(note)));
  if (wants('busy')) add(...(await measureBusy(note)));
  if (wants('ledger')) add(await measureLedger(disk));
  if (wants('step')) {
    if (memory === undefined) note('This machine has no tmpfs: the patch step is measured on disk alone, and its limit is judged there');
    else add(await measureSteps('patch step, 5,000 files, tmpfs', memory, TMPFS_PAIRS, { atMost: 1.3 }));
    add(await measureSteps('patch step, 5,000 files, disk', disk, DISK_PAIRS, memory === undefined ? { atMost: 1.3 } : undefined));
  }
  if (wants('workspace')) {
    if (memory === undefined) note('This machine has no tmpfs: workspaces are measured on disk alone, and their limit is judged there');
    else add(...(await measureWorkspaces('tmpfs', memory, TMPFS_PAIRS, { atMost: 0.25 })));
    add(...(await measureWorkspaces('disk', disk, DISK_PAIRS, memory === undefined ? { atMost: 0.25 } : undefined)));
  }
  if (wants('agents')) add(...(await measureAgents(note)));
  return figures;
};

const main = async (): Promise<number> => {
  const output = createOutput({ json: values.json, stdout: process.stdout, stderr: process.stderr });
  const figures = await measure((text) => output.note(text));
  output.result({ figures }, () =>
    output.table([
      ['figure', 'value', 'baseline', 'unit', 'ratio', 'limit', 'pairs', ''],
      ...figures.map(({ name, value, baseline, unit, ratio, limit, ok, pairs }) => [
        name,
        String(value),
        String(baseline),
        unit,
        `${ratio}x`,
        limit ?? '-',
        String(pairs),
        ok ? 'ok' : 'MISSED',
      ]),
    ]),
  );
  return figures.every(({ ok }) => ok) ? 0 : 2;
};

process.exitCode = await endingWell(values.json, main);
