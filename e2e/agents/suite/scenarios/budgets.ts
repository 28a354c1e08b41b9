import { holds } from '../../../scenarios/scenario.ts';
import type { AgentScenario } from '../scenario.ts';

const tokens: AgentScenario = {
  name: 'budget-tokens',
  proves: 'an attempt that uses more tokens than its profile allows is stopped, with its own code',
  profile: 'frugal',
  turns: [
    { tool: 'shell', args: { command: 'echo one' }, usage: { input: 30_000, output: 500 } },
    { tool: 'shell', args: { command: 'echo two' }, usage: { input: 30_000, output: 500 } },
    { say: 'Costly.', usage: { input: 30_000, output: 500 } },
  ],
  ends: 'failed_executor',
  reason: 'budget_tokens',
  holds(seen, report) {
    holds((seen.attempts[0]!.usage?.input_tokens ?? 0) >= 30_000, 'what it used is recorded', report, seen.attempts[0]!.usage);
  },
};

const turns: AgentScenario = {
  name: 'budget-turns',
  proves: 'an attempt that takes more turns of its model than its profile allows is stopped, with its own code',
  profile: 'brief',
  turns: Array.from({ length: 8 }, (_, at) => ({ tool: 'shell', args: { command: `echo ${at}` } })),
  ends: 'failed_executor',
  reason: 'budget_turns',
  holds(seen, report) {
    holds(seen.requests.length <= 5, 'it did not go on for long', report, seen.requests.length);
    holds((seen.attempts[0]!.usage?.turns ?? 0) > 2, 'its turns are recorded', report, seen.attempts[0]!.usage);
  },
};

export const budgets: readonly AgentScenario[] = [tokens, turns];
