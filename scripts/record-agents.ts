import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { installAgents } from '@fairlead/e2e/agents/install';
import { gemini, opencode, qwen } from '@fairlead/e2e/agents/recording/acp';
import { claude } from '@fairlead/e2e/agents/recording/claude';
import { codex } from '@fairlead/e2e/agents/recording/codex';
import { fixtureOf } from '@fairlead/e2e/agents/recording/fixture';
import { record, type Recorded } from '@fairlead/e2e/agents/recording/record';
import { RECORDINGS } from '@fairlead/e2e/agents/recording/scenarios';
import { ROOT } from '@fairlead/e2e/rig/programs';
import { endingWell } from './ending.ts';
import { readFlags } from './flags.ts';

const USAGE = `npm run -s record-agents -- [--agents NAME,...] [--only SCENARIO,...] [--out FOLDER] [--verbose]

Runs the pinned agents against the scripted model and writes what was said as fixtures: one file for each agent and scenario.
Scenarios: ${RECORDINGS.map(({ name }) => name).join(', ')}.
Run it where there is no network but loopback, as root:
  unshare -n sh -c 'ip link set lo up; exec npm run -s record-agents'
`;

const { values } = readFlags(USAGE, () =>
  parseArgs({
    options: {
      agents: { type: 'string' },
      only: { type: 'string' },
      out: { type: 'string', default: join(ROOT, 'daemon', 'src', 'executors', 'agents', 'fixtures') },
      verbose: { type: 'boolean', default: false },
    },
  }),
);

const chosen = (list: string | undefined, name: string): boolean => list === undefined || list.split(',').includes(name);

const summary = ({ lines, endings, requests, seconds, problems, workspace, home }: Recorded): string =>
  [
    `${lines.length} lines in ${seconds.toFixed(1)} s`,
    ...endings.map((ending) => `ending: ${ending.slice(0, 400)}`),
    ...requests.map((request) => `model: ${request.replaceAll('\n', ' ')}`),
    ...problems.map((problem) => `problem: ${problem}`),
    ...lines.filter(({ dir }) => dir === 'note' || dir === 'end').map(({ dir, line }) => `${dir}: ${line.replaceAll('\n', ' > ')}`),
    `workspace: ${workspace.join(' ')}`,
    `home: ${home.join(' ')}`,
  ]
    .map((line) => `  ${line}\n`)
    .join('');

const main = async (): Promise<number> => {
  const tell = (line: string) => process.stderr.write(`fairlead: ${line}\n`);
  const { installed, missing } = await installAgents({ tell });
  mkdirSync(values.out, { recursive: true });
  for (const driver of [claude, codex, gemini, qwen, opencode].filter(({ agent }) => chosen(values.agents, agent))) {
    const agent = installed.find(({ name }) => name === driver.agent);
    if (agent === undefined) continue;
    for (const recording of RECORDINGS.filter(({ name }) => chosen(values.only, name))) {
      const recorded = await record(driver, agent.folder, recording);
      writeFileSync(join(values.out, `${driver.agent}-${recording.name}.jsonl`), fixtureOf(recorded.lines));
      process.stdout.write(`${driver.agent} ${recording.name}\n${values.verbose ? summary(recorded) : ''}`);
    }
  }
  return missing.length === 0 ? 0 : 5;
};

process.exitCode = await endingWell(false, main);
