import { parseArgs } from 'node:util';
import { SCENARIOS } from '@fairlead/e2e/scenarios/all';
import type { Scenario } from '@fairlead/e2e/scenarios/scenario';
import { raiseStack } from '@fairlead/e2e/rig/stack';
import { readFlags } from './flags.ts';

const USAGE = `npm run smoke -- NAME... | all [--json]

Raises relay, daemon and connector, plays a scenario and prints each fact that it has proven:

${SCENARIOS.map(({ name, proves }) => `  ${name.padEnd(16)}${proves}`).join('\n')}
`;

const { values, positionals } = readFlags(USAGE, () => {
  const read = parseArgs({ options: { json: { type: 'boolean', default: false } }, allowPositionals: true });
  if (read.positionals.length === 0) throw new Error('name a scenario, or all');
  const unknown = read.positionals.find((name) => name !== 'all' && !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown !== undefined) throw new Error(`there is no scenario ${unknown}`);
  return read;
});

interface Outcome {
  readonly name: string;
  readonly ok: boolean;
  readonly facts: readonly string[];
  readonly error: string | null;
  readonly duration_ms: number;
}

const play = async (scenario: Scenario, say: (text: string) => void): Promise<Outcome> => {
  const started = performance.now();
  const facts: string[] = [];
  say(`${scenario.name}: ${scenario.proves}`);
  let failure: string | null = null;
  try {
    const stack = await raiseStack(scenario.stack);
    const stop = () => void stack.close().then(() => process.exit(5));
    process.once('SIGTERM', stop).once('SIGINT', stop);
    try {
      await scenario.play(stack, (fact) => {
        facts.push(fact);
        say(`  ok    ${fact}`);
      });
    } finally {
      await stack.close();
      process.off('SIGTERM', stop).off('SIGINT', stop);
    }
  } catch (error) {
    failure = (error as Error).message;
    say(`  FAIL  ${failure}`);
  }
  return { name: scenario.name, ok: failure === null, facts, error: failure, duration_ms: Math.round(performance.now() - started) };
};

const main = async (): Promise<void> => {
  const wanted = SCENARIOS.filter(({ name }) => positionals.includes(name) || positionals.includes('all'));
  const say = (text: string) => void (values.json ? process.stderr : process.stdout).write(`${text}\n`);
  const outcomes: Outcome[] = [];
  for (const scenario of wanted) outcomes.push(await play(scenario, say));
  const failed = outcomes.filter(({ ok }) => !ok);
  if (values.json) process.stdout.write(`${JSON.stringify({ ok: failed.length === 0, scenarios: outcomes })}\n`);
  else
    say(
      `\n${outcomes.length - failed.length} of ${outcomes.length} scenarios hold, ${outcomes.reduce((sum, { facts }) => sum + facts.length, 0)} facts`,
    );
  process.exitCode = failed.length === 0 ? 0 : 2;
};

await main();
