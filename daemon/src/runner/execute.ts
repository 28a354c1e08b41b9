import { setImmediate } from 'node:timers/promises';
import type { Confinement } from '@fairlead/shared/contract/states';
import type { TaskSpec } from '@fairlead/shared/contract/task';
import { BY_DAEMON } from '../core/records.ts';
import type { Usage } from '@fairlead/shared/contract/activity';
import type { AgentProfile, ExecutorReport, ExecutorResult } from '../executors/executor.ts';
import { INSIDE } from '../process/confined.ts';
import { buildPrompt } from '../policy/prompt.ts';
import type { Workspace } from '../workspaces/workspaces.ts';
import { noteProcess } from './end-step.ts';
import { earlierOf } from './earlier.ts';
import { artifactRow } from './evidence.ts';
import { sandboxFor, sandboxOf } from './grounds.ts';
import { createPermissionDesk, type PermissionDesk } from './permission-desk.ts';
import { reasonOf } from './reason.ts';
import type { PreparedScope } from './scope.ts';

/** The step was left as it is, because the daemon shuts down; the next start goes on with it. */
export const LEFT = Symbol('left');

/** The bytes of the diff that a task brought, or undefined when it has none. */
const patchOf = ({ patch, patch_base64 }: TaskSpec): Buffer | undefined => {
  if (patch !== undefined) return Buffer.from(patch, 'utf8');
  return patch_base64 === undefined ? undefined : Buffer.from(patch_base64, 'base64');
};

/** Where an agent sees its files. */
const placesSeen = (kind: Confinement | undefined, { folder, out }: Workspace): { workspace: string; out: string; scratch: string[] } =>
  kind === 'unconfined'
    ? { workspace: folder, out, scratch: [out] }
    : { workspace: INSIDE.workspace, out: INSIDE.out, scratch: [INSIDE.out, '/tmp', INSIDE.home] };

/** What an agent works with besides its workspace. */
interface AgentSide {
  readonly prompt: string;
  readonly home: string;
  readonly resume: string | undefined;
  readonly desk: PermissionDesk;
}

/** Builds the prompt, keeps it byte for byte, and makes the agent's home. */
const openAgentSide = async (scope: PreparedScope, workspace: Workspace, profile: AgentProfile): Promise<AgentSide> => {
  const { deps, attempt, instance, effective, activity } = scope;
  const task = taskOf(scope);
  const from = attempt.resumed_from === null ? undefined : deps.ledger.read.attempt(attempt.resumed_from);
  const seen = placesSeen(sandboxFor(deps.confining, instance)?.kind, workspace);
  const prompt = buildPrompt({
    task,
    effective,
    workspace: seen.workspace,
    out: seen.out,
    earlier: from && earlierOf(deps.ledger.read, from),
    instructions: attempt.instructions ?? undefined,
    resumed: from !== undefined,
  });
  const kept = await deps.artifacts.store(prompt);
  const row = artifactRow(attempt, kept, { kind: 'prompt', name: 'prompt.md', media_type: 'text/markdown' });
  await deps.ledger.record((tx) => void tx.add.artifact(row, BY_DAEMON));
  return {
    prompt,
    home: await deps.homes.create(attempt.id, attempt.resumed_from),
    resume: from?.session ?? undefined,
    desk: createPermissionDesk({ scope, log: activity, profile, folder: workspace.folder, seen_as: seen.workspace, scratch: seen.scratch }),
  };
};

const taskOf = ({ deps, step }: PreparedScope): TaskSpec => {
  const task = deps.ledger.read.task(step.id);
  if (!task) throw new Error(`The task of ${step.id} is missing`);
  return task.spec;
};

/** What an attempt tells while it works. A stale attempt, whose daemon died, can write nothing: only an active one is noted. */
const reportOf = (scope: PreparedScope, desk: PermissionDesk | undefined, usage: { now: Usage | null }): ExecutorReport => {
  const { deps, attempt, sink, activity } = scope;
  return {
    started: (name) => noteProcess(deps, attempt.id, name),
    output: (chunk, from) => {
      sink.write(chunk, from);
      activity.output(chunk, from);
    },
    activity: (item) => activity.push(item),
    permission: async (request) =>
      desk?.decide(request) ?? { allowed: false, rule: 'permission.no_desk', reason: 'This executor may ask for nothing.' },
    session: (id) =>
      void deps.ledger
        .record((tx) => {
          if (tx.read.attempt(attempt.id)?.state === 'active') tx.set.attempt(attempt.id, { session: id });
        })
        .catch((error: unknown) => deps.log.warn({ err: error, attempt: attempt.id }, 'the session of an agent could not be noted')),
    usage: (told) => void (usage.now = told),
  };
};

const perform = async (scope: PreparedScope, workspace: Workspace | undefined, usage: { now: Usage | null }): Promise<ExecutorResult> => {
  const { deps, step, attempt, instance, executor, ground, signal } = scope;
  const task = taskOf(scope);
  let side: AgentSide | undefined;
  try {
    side = executor.prompted && workspace && executor.profile ? await openAgentSide(scope, workspace, executor.profile) : undefined;
    return await executor.execute(
      {
        step_id: step.id,
        attempt_id: attempt.id,
        task,
        prompt: side?.prompt,
        home: side?.home,
        resume: side?.resume,
        patch: patchOf(task),
        base_commit: scope.base,
        store: ground.store,
        place: workspace,
        sandbox: executor.runs_code ? sandboxOf(deps.confining, instance, attempt.id) : undefined,
        time_left_ms: scope.effective.timeout_ms,
        signal,
      },
      reportOf(scope, side?.desk, usage),
    );
  } catch (error) {
    // An executor's own fault is an outcome too: the step must end, and what happened stands in the log.
    deps.log.error({ err: error, attempt: attempt.id }, 'executor failed');
    return { outcome: 'crashed', reason: reasonOf(error, 'executor_fault') };
  } finally {
    // A shutdown leaves the requests open: an agent that goes on later takes them up.
    if (!(signal.aborted && signal.reason === 'shutdown')) await side?.desk.close();
  }
};

/**
 * Lets the executor work and records its outcome: the attempt ends, and the step goes on to `collecting` where there is something to collect.
 * A shutdown leaves an executor that may be repeated where it is.
 */
export const execute = async (scope: PreparedScope, workspace: Workspace | undefined): Promise<ExecutorResult | typeof LEFT> => {
  const { deps, step, attempt, executor, signal } = scope;
  const usage: { now: Usage | null } = { now: null };
  let result = await perform(scope, workspace, usage);
  if (signal.aborted && signal.reason === 'shutdown' && result.outcome === 'cancelled') {
    if (executor.replayable) return LEFT;
    result = {
      ...result,
      outcome: 'crashed',
      reason: { code: 'daemon_stopped', message: 'The daemon was shut down while the executor worked' },
    };
  }
  const unconfirmed = result.stopped === 'unconfirmed';
  // Nothing was made in a folder and nothing printed: there is nothing to collect, and no stage is told that did not take place.
  const left = result.outcome === 'finished' || workspace !== undefined || scope.sink.file !== undefined;
  const reason = unconfirmed
    ? { code: 'stop_unconfirmed', message: 'Something that the executor started may still run' }
    : (result.reason ?? null);
  await deps.ledger.record((tx) => {
    tx.move.attempt(
      attempt.id,
      result.outcome,
      { reason, exit_code: result.exit_code ?? null, signal: result.signal ?? null, tree: result.tree ?? null, usage: usage.now },
      { ...BY_DAEMON, data: { outcome: result.outcome, exit_code: result.exit_code ?? null } },
    );
    const resets = result.outcome === 'quota' ? result.resets_in_ms : undefined;
    const set = resets === undefined ? {} : { resume_at: tx.at + resets };
    if (left) tx.move.step(step.id, 'executed', set, BY_DAEMON);
    else tx.set.step(step.id, set);
  });
  // Who waits for this hears of it now: the next stage starts programs, and each start holds the event loop for a while.
  await setImmediate();
  return result;
};
