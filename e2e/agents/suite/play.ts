import { randomInt, randomUUID } from 'node:crypto';
import type { TaskInput } from '@fairlead/shared/contract/task';
import { mcpPlanner } from '../../rig/mcp-planner.ts';
import { until } from '../../rig/processes.ts';
import { holds, type Report } from '../../scenarios/scenario.ts';
import type { Planner } from '../../rig/planner.ts';
import { handsOn, readActivity, type Hands } from './hands.ts';
import { withArgument, withVariable } from './processes-with.ts';
import { executorOf } from './profiles.ts';
import type { AgentScenario, Seen, Setting } from './scenario.ts';
import type { Stage } from './stage.ts';

/** What came of one scenario with one agent. */
export interface Played {
  readonly agent: string;
  readonly scenario: string;
  readonly result: 'ok' | 'FAIL' | 'n/a';
  /** Why it failed, or why it cannot be played. */
  readonly why: string | null;
  readonly facts: readonly string[];
  readonly duration_ms: number;
}

const WITHIN_MS = 120_000;
const GONE_MS = 5_000;

type Submitter = Pick<Planner, 'call' | 'close'>;

/** Whoever submits: the operator, or a planner on the far side of relay and connector. */
const submitterFor = async (stage: Stage, by: AgentScenario['by']): Promise<Submitter> => {
  if (by === 'http') return { call: stage.stack.planner.call, close: async () => {} };
  if (by === 'mcp') return mcpPlanner(stage.stack.mcpUrl, stage.stack.plannerToken);
  return { call: stage.call, close: async () => {} };
};

const seenOf = async (stage: Stage, instanceId: string, runId: string, stepId: string, script: string): Promise<Seen> => {
  const { step, change, validations, artifacts } = await stage.call('get_step_result', { step_id: stepId });
  const [{ items: attempts }, { items: gates }, { items: events }, activity] = await Promise.all([
    stage.call('list_attempts', { step_id: stepId }),
    stage.call('list_gates', { instance_id: instanceId, step_id: stepId }),
    stage.call('list_events', { instance_id: instanceId, run_id: runId, limit: 500 }),
    readActivity(stage, stepId),
  ]);
  return { step, attempts, change, validations, artifacts, gates, events, activity, requests: stage.model.requests(script) };
};

/** Ends what is still under way, so that the next scenario begins with nothing. */
const tidy = async (hands: Hands, nap: string): Promise<void> => {
  const { ended } = await hands.step();
  if (!ended) {
    await hands.stage.call('cancel_step', { step_id: hands.stepId }).catch(() => undefined);
    await hands.untilStep('it has stopped', (step) => step.ended, 20_000).catch(() => undefined);
  }
  for (const { pid } of withArgument(nap)) process.kill(pid, 'SIGKILL');
};

const endedAs = (scenario: AgentScenario, { step, activity }: Seen, report: Report): void => {
  const wanted = scenario.ends ?? 'completed';
  const why = { state: step.state, reason: step.reason, warnings: step.warnings, last: activity.slice(-4) };
  holds(step.state === wanted, `the step is ${wanted}`, report, why);
  const codes = scenario.reason === undefined ? [] : [scenario.reason].flat();
  if (codes.length > 0) holds(codes.includes(step.reason?.code ?? ''), `the reason is ${codes.join(' or ')}`, report, step.reason);
};

const perform = async (scenario: AgentScenario, stage: Stage, report: Report): Promise<void> => {
  const { subject, model } = stage;
  const script = `${subject.name}.${scenario.name}`;
  const nap = `6${randomInt(100_000, 999_999)}.${randomInt(100, 999)}`;
  const remote = scenario.by === 'http' || scenario.by === 'mcp';
  const instance = remote ? stage.stack.instances[0]! : await stage.addInstance(scenario.name, scenario.files);
  const setting: Setting = { stage, repo: instance.repo, nap };
  const problems = model.problems().length;
  model.set(script, typeof scenario.turns === 'function' ? scenario.turns(setting) : scenario.turns);
  const submitter = await submitterFor(stage, scenario.by);
  try {
    const task: TaskInput = {
      title: `Play ${scenario.name}`,
      ...scenario.task,
      goal: `${scenario.task?.goal ?? scenario.proves}\n\nSCRIPT:${script}`,
      executor: executorOf(subject.name, scenario.profile ?? 'default'),
    };
    const run = await submitter.call('start_run', { instance_id: instance.id, title: scenario.name });
    const { id: stepId } = await submitter.call('submit_task', { run_id: run.id, task }, randomUUID());
    const hands = handsOn(stage, instance.id, stepId, submitter.call);
    try {
      await scenario.meanwhile?.(hands, report, setting);
      await hands.untilStep(
        'the step has ended',
        ({ ended, state }) => ended || state === 'needs_approval',
        scenario.withinMs ?? WITHIN_MS,
      );
      const seen = await seenOf(stage, instance.id, run.id, stepId, script);
      endedAs(scenario, seen, report);
      await scenario.holds?.(seen, report, setting, hands);
      await until('nothing of the step runs any more', async () => withVariable('FAIRLEAD_STEP', stepId).length === 0, GONE_MS);
      holds(withArgument(nap).length === 0, 'nothing that it started is left', report);
      const odd = model.problems().slice(problems);
      holds(odd.filter((text) => text.startsWith(`${script},`)).length === 0, 'the agent did all that the script asked for', report, odd);
    } finally {
      await tidy(hands, nap);
    }
  } finally {
    await submitter.close();
  }
};

/** Plays one scenario with one agent. Never throws: what does not hold is told in the answer. */
export const play = async (scenario: AgentScenario, stage: Stage): Promise<Played> => {
  const started = performance.now();
  const facts: string[] = [];
  const about = { agent: stage.subject.name, scenario: scenario.name, facts };
  const lacking = scenario.lacks?.(stage);
  if (lacking !== undefined) return { ...about, result: 'n/a', why: lacking, duration_ms: 0 };
  let why: string | null = null;
  try {
    await perform(scenario, stage, (fact) => void facts.push(fact));
  } catch (error) {
    why = error instanceof Error ? error.message : String(error);
  }
  return { ...about, result: why === null ? 'ok' : 'FAIL', why, duration_ms: Math.round(performance.now() - started) };
};
