import { randomUUID } from 'node:crypto';
import type { Change, Event, StepResult } from '@fairlead/shared/contract/resources';
import type { Gate } from '@fairlead/shared/contract/gates';
import { STEP_STATES, type ExitCode } from '@fairlead/shared/contract/states';
import type { TaskInput } from '@fairlead/shared/contract/task';
import { followStep, type Planner } from '@fairlead/e2e/rig/planner';
import type { Stack } from '@fairlead/e2e/rig/stack';

/** What the demo tells as it goes; the JSON form tells nothing. */
export interface Teller {
  planner(text: string): void;
  owner(text: string): void;
  fairlead(text: string): void;
  evidence(heading: string, text: string): void;
}

export interface Story {
  readonly result: StepResult;
  readonly gate: Gate | null;
  readonly change: Change | null;
  readonly patch: string;
  readonly events: readonly Event[];
  /** What each check that failed printed, by its name. */
  readonly complaints: Readonly<Record<string, string>>;
  readonly durations: Readonly<Record<string, number>>;
}

export interface Plot {
  readonly stack: Stack;
  readonly planner: Planner;
  readonly task: TaskInput;
  readonly tell: Teller;
  /** Asked before the owner approves; shown the patch. */
  readonly approves: (patch: string) => Promise<boolean>;
}

const key = () => ({ idempotencyKey: randomUUID() });

/** Work done, and how long each part of it took, in milliseconds. */
const stopwatch = () => {
  const durations: Record<string, number> = {};
  const time = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const started = performance.now();
    const value = await work();
    durations[name] = Math.round(performance.now() - started);
    return value;
  };
  return { durations, time };
};

const allEvents = async (planner: Planner, instanceId: string, runId: string): Promise<Event[]> => {
  const events: Event[] = [];
  let cursor: string | undefined;
  for (;;) {
    const page = await planner.call('list_events', {
      instance_id: instanceId,
      run_id: runId,
      limit: 200,
      ...(cursor !== undefined && { cursor }),
    });
    events.push(...page.items);
    if (!page.more) return events;
    cursor = page.next_cursor;
  }
};

/** What failed checks printed: without it a planner that reads of a failure cannot mend it. */
const complaintsOf = async (planner: Planner, { validations }: StepResult): Promise<Record<string, string>> => {
  const failed = validations.filter(({ passed, output_artifact_id }) => !passed && output_artifact_id !== null);
  const texts = await Promise.all(
    failed.map(async ({ name, output_artifact_id }) => [name, (await planner.content(output_artifact_id!)).toString('utf8')] as const),
  );
  return Object.fromEntries(texts);
};

/** Submits the task and waits for what becomes of it, as any planner would: it sees only what the relay answers. */
const submit = async ({ stack, planner, task, tell }: Plot, time: ReturnType<typeof stopwatch>['time']) => {
  const instanceId = stack.instances[0]!.id;
  const instance = await planner.call('get_instance', { instance_id: instanceId });
  const checks = instance.policy.validations.map(({ name }) => name).join(', ') || 'none';
  tell.planner(
    `get_instance     ${instance.label}: branch ${instance.default_branch}, checks: ${checks}, executors: ${instance.executors.filter(({ available }) => available).length}`,
  );
  const run = await planner.call('start_run', { instance_id: instanceId, title: task.title ?? 'Demo' });
  tell.planner(`start_run        ${run.id}`);
  const queued = await time('submit', () => planner.call('submit_task', { run_id: run.id, task }));
  tell.planner(`submit_task      ${queued.id}: ${queued.title} (${queued.executor.requested})`);
  const { sentences } = await time('step', () => followStep(planner, queued.id));
  for (const sentence of sentences) tell.planner(`wait_step        ${sentence}`);
  return { instanceId, runId: run.id, stepId: queued.id };
};

const decide = async (
  { stack, tell, approves }: Plot,
  gate: Gate,
  patch: string,
  time: ReturnType<typeof stopwatch>['time'],
): Promise<boolean> => {
  tell.fairlead(`a gate holds the change, because: ${gate.reasons.join(', ')}. Nothing has moved yet.`);
  if (!(await approves(patch))) {
    await stack.operator.call('reject_gate', { gate_id: gate.id, comment: 'Declined in the demo' }, key());
    tell.owner('reject_gate      declined; the branch did not move');
    return false;
  }
  const approved = await time('approve', () =>
    stack.operator.call('approve_gate', { gate_id: gate.id, digest: gate.digest, comment: 'Read and approved in the demo' }, key()),
  );
  tell.owner(`approve_gate     exactly ${gate.digest.slice(0, 19)}… (authority: ${approved.authority})`);
  return true;
};

/** The whole story: a planner's task, what the machine saw, the owner's decision, the branch that moves. */
export const tellStory = async (plot: Plot): Promise<Story> => {
  const { stack, planner, tell } = plot;
  const { durations, time } = stopwatch();
  const { instanceId, runId, stepId } = await submit(plot, time);
  const held = await planner.call('get_step_result', { step_id: stepId });
  const patch = held.change ? (await planner.content(held.change.patch_artifact_id)).toString('utf8') : '';
  const goesOn =
    held.gate?.state === 'pending'
      ? await decide(plot, held.gate, patch, time)
      : held.step.ended && STEP_STATES[held.step.state].exit === 0;
  if (goesOn && held.change) {
    const { id } = held.change;
    const { integrated } = await time('integrate', () => stack.operator.call('integrate_change', { change_id: id }, key()));
    if (integrated) tell.owner(`integrate_change ${integrated.ref}: ${integrated.from.slice(0, 10)} -> ${integrated.to.slice(0, 10)}`);
  }
  const result = await planner.call('get_step_result', { step_id: stepId });
  const events = await allEvents(planner, instanceId, runId);
  const complaints = await complaintsOf(planner, result);
  return { result, gate: result.gate, change: result.change, patch, events, complaints, durations };
};

/** What `--json` prints. */
export const documentOf = ({ result, gate, change, events, durations }: Story) => ({
  ok:
    STEP_STATES[result.step.state].exit === 0 &&
    change !== null &&
    change.integrated !== null &&
    result.validations.every(({ required, passed }) => passed || !required),
  // The reason stands there only where there is one: a demo that went well has nothing to explain.
  step: { id: result.step.id, state: result.step.state, ...(result.step.reason && { reason: result.step.reason }) },
  change: change && {
    base: change.base_commit,
    commit: change.snapshot_commit,
    files: change.files.map(({ path, added, removed }) => ({ path, added, removed })),
  },
  validations: result.validations.map(({ name, passed, exit_code, duration_ms, confinement }) => ({
    name,
    passed,
    exit_code,
    duration_ms,
    confined: confinement !== 'unconfined',
  })),
  gate: gate && { state: gate.state, authority: gate.authority },
  integrated: change?.integrated ? { ref: change.integrated.ref, from: change.integrated.from, to: change.integrated.to } : null,
  events: events.length,
  durations_ms: durations,
});

export const exitOf = (story: Story): ExitCode => (documentOf(story).ok ? 0 : STEP_STATES[story.result.step.state].exit || 4);
