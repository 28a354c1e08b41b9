import { parseArgs } from 'node:util';
import { agentCache, installAgents } from '@fairlead/e2e/agents/install';
import { AGENT_PINS } from '@fairlead/e2e/agents/pins';
import { endingWell } from './ending.ts';
import { readFlags } from './flags.ts';

const USAGE = `npm run -s agents -- [--json] [NAME]...

Installs the agents that the tests run, each at its pinned version, into a cache outside of the checkout: ${AGENT_PINS.map(({ name }) => name).join(', ')}.
What is there already is left as it is. Exit 0 when all are there, 5 when one is missing.
`;

const { values, positionals } = readFlags(USAGE, () =>
  parseArgs({ options: { json: { type: 'boolean', default: false } }, allowPositionals: true }),
);

const main = async (): Promise<number> => {
  const agents = AGENT_PINS.map(({ name }) => name).filter((name) => positionals.length === 0 || positionals.includes(name));
  const answer = await installAgents({ agents, tell: (line) => process.stderr.write(`fairlead: ${line}\n`) });
  const human = [
    ...answer.installed.map(({ name, version, command }) => `${name.padEnd(10)} ${version.padEnd(10)} ${command}`),
    ...answer.missing.map(({ name, version, reason }) => `${name.padEnd(10)} ${version.padEnd(10)} missing: ${reason}`),
  ];
  process.stdout.write(values.json ? `${JSON.stringify({ cache: agentCache(), ...answer })}\n` : `${human.join('\n')}\n`);
  return answer.missing.length === 0 ? 0 : 5;
};

process.exitCode = await endingWell(values.json, main);
