import { holds } from '../../../scenarios/scenario.ts';
import type { TurnInput } from '../../script.ts';
import { said } from '../activity.ts';
import type { AgentScenario } from '../scenario.ts';

const WORK: readonly TurnInput[] = [
  { tool: 'write', args: { path: 'src/after.js', content: 'export const after = 1;\n' } },
  { say: 'Done after all.' },
];

const notSignedIn: AgentScenario = {
  name: 'model-401',
  proves: 'a credential that the model refuses is told as such, without minutes of trying',
  turns: [{ fail: 401, times: 30 }],
  ends: 'failed_executor',
  reason: 'agent_not_signed_in',
};

const busy: AgentScenario = {
  name: 'model-429',
  proves: 'a model that asks to come back in a moment is asked again',
  turns: [{ fail: 429, retry_after: 1 }, ...WORK],
};

const usageLimit: AgentScenario = {
  name: 'usage-limit',
  proves: 'a usage limit is no failure: the step waits for it to reset, and can be cancelled meanwhile',
  turns: [{ fail: 429, retry_after: 3600, limit_resets_in: 3600, message: "You've hit your limit", times: 30 }],
  async meanwhile(hands, report) {
    const waiting = await hands.untilStep('it waits', ({ ended, state }) => ended || state === 'waiting_quota');
    holds(waiting.state === 'waiting_quota', 'the step waits', report, { ...waiting.reason, state: waiting.state });
    const [attempt] = (await hands.ask('list_attempts', { step_id: hands.stepId })).items;
    holds(attempt?.state === 'quota', 'its attempt has ended for the limit', report, attempt);
    await hands.ask('cancel_step', { step_id: hands.stepId });
  },
  ends: 'cancelled',
};

const resets: AgentScenario = {
  name: 'limit-resets',
  proves: 'when the limit resets, the step goes on by itself in the same session',
  turns: [{ fail: 429, retry_after: 12, limit_resets_in: 12, message: "You've hit your limit" }, ...WORK],
  withinMs: 120_000,
  async meanwhile(hands, report) {
    const waiting = await hands.untilStep('it waits', ({ ended, state }) => ended || state === 'waiting_quota');
    holds(waiting.state === 'waiting_quota', 'the step waits for the limit to reset', report, { ...waiting.reason, state: waiting.state });
    await hands.untilStep('it goes on by itself', ({ state }) => state !== 'waiting_quota', 90_000);
  },
  holds(seen, report) {
    holds(seen.attempts.length === 2 && seen.attempts[0]!.state === 'quota', 'the second attempt did the work', report, seen.attempts);
    holds(new Set(seen.attempts.map(({ executor }) => executor)).size === 1, 'with the same executor', report);
  },
};

const overloaded: AgentScenario = {
  name: 'model-529',
  proves: 'a model that is overloaded twice is asked a third time',
  turns: [{ fail: 529, times: 2 }, ...WORK],
};

const garbage: AgentScenario = {
  name: 'garbage',
  proves: 'a model that answers with garbage is a failure, whatever the agent calls it',
  turns: [{ garbage: 'not_json', times: 40 }],
  ends: 'failed_executor',
  withinMs: 120_000,
  holds(seen, report) {
    holds(seen.step.reason?.code !== 'no_change', 'the reason is not that nothing was changed', report, seen.step.reason);
  },
};

const cut: AgentScenario = {
  name: 'cut',
  proves: 'an answer whose connection breaks in the middle is asked for again',
  turns: [{ garbage: 'cut' }, ...WORK],
  withinMs: 90_000,
  holds(seen, report) {
    holds(said(seen.activity).includes('Done after all.'), 'the work was done in the end', report);
  },
  lacks: ({ subject }) => (subject.brittle ? 'it does not ask again; cut-off shows how that is told' : undefined),
};

const cutOff: AgentScenario = {
  name: 'cut-off',
  proves: 'an answer that breaks in the middle time and again is a failure of the model',
  turns: [{ garbage: 'cut', times: 40 }],
  ends: 'failed_executor',
  withinMs: 240_000,
  holds(seen, report) {
    holds(seen.step.reason?.code !== 'no_change', 'the reason is not that nothing was changed', report, seen.step.reason);
  },
};

const hang: AgentScenario = {
  name: 'hang',
  proves: 'a model that never answers is ended by the time limit',
  task: { timeout: '10s' },
  turns: [{ hang: 'at_once', times: 10 }],
  ends: 'timeout',
};

export const modelFaults: readonly AgentScenario[] = [notSignedIn, busy, usageLimit, resets, overloaded, garbage, cut, cutOff, hang];
