import { holds } from '../../../scenarios/scenario.ts';
import { withArgument } from '../processes-with.ts';
import type { AgentScenario } from '../scenario.ts';

const cancel: AgentScenario = {
  name: 'cancel',
  proves: 'a step is called cancelled only when nothing of what its agent started is left',
  turns: ({ nap }) => [{ tool: 'shell', args: { command: `node tools/nap.mjs ${nap}` } }, { say: 'Slept.' }],
  async meanwhile(hands, report, { nap }) {
    await hands.napping(nap);
    await hands.ask('cancel_step', { step_id: hands.stepId });
    const { stop_requested_at } = await hands.untilStep('it is cancelled', ({ ended }) => ended, 20_000);
    holds(withArgument(nap).length === 0, 'nothing sleeps at that moment', report);
    holds(stop_requested_at !== null, 'it is recorded when the stop was asked for', report);
  },
  ends: 'cancelled',
};

const cancelAsked: AgentScenario = {
  name: 'cancel-asked',
  proves: 'a step whose agent waits for a person can be cancelled, and its gate is put away',
  profile: 'careful',
  turns: [{ tool: 'shell', args: { command: 'node tools/make.mjs' } }, { say: 'Made.' }],
  async meanwhile(hands) {
    await hands.gate();
    await hands.ask('cancel_step', { step_id: hands.stepId });
  },
  ends: 'cancelled',
  holds(seen, report) {
    holds(seen.gates.length === 1 && seen.gates[0]!.state === 'outdated', 'the gate is out of date', report, seen.gates);
  },
};

const timeout: AgentScenario = {
  name: 'timeout',
  proves: 'a step that takes too long is stopped, and that is told apart from a cancellation',
  task: { timeout: '10s' },
  turns: ({ nap }) => [{ tool: 'shell', args: { command: `node tools/nap.mjs ${nap}` } }, { say: 'Slept.' }],
  ends: 'timeout',
  reason: 'timeout',
};

export const stops: readonly AgentScenario[] = [cancel, cancelAsked, timeout];
