import { parseArgs } from 'node:util';
import { installAgents } from '@fairlead/e2e/agents/install';
import { AGENT_PINS } from '@fairlead/e2e/agents/pins';
import type { Played } from '@fairlead/e2e/agents/suite/play';
import { AGENT_SCENARIOS } from '@fairlead/e2e/agents/suite/scenarios/all';
import { runSuite } from '@fairlead/e2e/agents/suite/suite';
import { tableOf } from '@fairlead/e2e/agents/suite/table';
import { endingWell } from './ending.ts';
import { readFlags } from './flags.ts';

const NAMES = AGENT_PINS.map(({ name }) => name);

const USAGE = `npm run test:agents -- [AGENT]... [--only SCENARIO]... [--json]

Plays every scenario with the real program of every agent, at its pinned version, against a scripted model on loopback: ${NAMES.join(', ')}.
Once they are in the cache it needs no network. Exit 0 when all hold.

${AGENT_SCENARIOS.map(({ name, proves }) => `  ${name.padEnd(16)}${proves}`).join('\n')}
`;

const { values, positionals } = readFlags(USAGE, () => {
  const read = parseArgs({
    options: { json: { type: 'boolean', default: false }, only: { type: 'string', multiple: true, default: [] } },
    allowPositionals: true,
  });
  const unknown = read.positionals.find((name) => !NAMES.some((known) => known === name));
  if (unknown !== undefined) throw new Error(`there is no agent ${unknown}; there are ${NAMES.join(', ')}`);
  const strange = read.values.only.find((name) => !AGENT_SCENARIOS.some((scenario) => scenario.name === name));
  if (strange !== undefined) throw new Error(`there is no scenario ${strange}`);
  return read;
});

const say = (text: string): void => void (values.json ? process.stderr : process.stdout).write(`${text}\n`);

const tell = ({ agent, scenario, result, why, facts, duration_ms }: Played): void => {
  const took = result === 'n/a' ? '' : ` (${(duration_ms / 1000).toFixed(1)} s)`;
  say(`${result.padEnd(4)} ${agent} ${scenario}${took}${why === null ? '' : `: ${why}`}`);
  if (result === 'FAIL' && facts.length > 0) say(`     held so far: ${facts.join('; ')}`);
};

const main = async (): Promise<number> => {
  const started = performance.now();
  const agents = NAMES.filter((name) => positionals.length === 0 || positionals.includes(name));
  const scenarios = AGENT_SCENARIOS.filter(({ name }) => values.only.length === 0 || values.only.includes(name));
  const { installed, missing } = await installAgents({ agents, tell: (line) => process.stderr.write(`fairlead: ${line}\n`) });
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort());
  const played = await runSuite({ agents: installed, scenarios, tell, signal: ending.signal });
  const count = (result: Played['result']): number => played.filter((one) => one.result === result).length;
  const failed = count('FAIL') + missing.length;
  if (values.json)
    process.stdout.write(
      `${JSON.stringify({ ok: failed === 0, versions: installed, missing, played, passed: count('ok'), failed, skipped: count('n/a') })}\n`,
    );
  say(`\n${tableOf(played)}\n`);
  for (const { agent, scenario, result, why } of played) if (result === 'n/a') say(`n/a  ${agent} ${scenario}: ${why}`);
  for (const { name, version, reason } of missing) say(`FAIL ${name} ${version} could not be installed: ${reason}`);
  for (const { agent, scenario, result, why } of played)
    if (result === 'FAIL') say(`FAIL ${agent} ${scenario}: ${why?.split('\n')[0]?.slice(0, 300)}`);
  say(`${count('ok')} passed, ${failed} failed, ${count('n/a')} skipped, in ${Math.round((performance.now() - started) / 1000)} s`);
  return failed === 0 && !ending.signal.aborted ? 0 : 2;
};

process.exitCode = await endingWell(values.json, main);
