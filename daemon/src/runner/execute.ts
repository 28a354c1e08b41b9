import type { TaskSpec } from '@fairlead/shared/contract/task';
import { BY_DAEMON } from '../core/records.ts';
import type { ExecutorResult } from '../executors/executor.ts';
import type { Workspace } from '../workspaces/workspaces.ts';
import { noteProcess } from './end-step.ts';
import { sandboxFor } from './grounds.ts';
import { reasonOf } from './reason.ts';
import type { PreparedScope } from './scope.ts';

/** The step was left as it is, because the daemon shuts down; the next start goes on with it. */
export const LEFT = Symbol('left');

/** The bytes of the diff that a task brought, or undefined when it has none. */
const patchOf = ({ patch, patch_base64 }: TaskSpec): Buffer | undefined => {
  if (patch !== undefined) return Buffer.from(patch, 'utf8');
  return patch_base64 === undefined ? undefined : Buffer.from(patch_base64, 'base64');
};

const perform = async (scope: PreparedScope, workspace: Workspace | undefined): Promise<ExecutorResult> => {
  const { deps, step, attempt, instance, executor, ground, signal, sink } = scope;
  const task = deps.ledger.read.task(step.id);
  if (!task) throw new Error(`The task of ${step.id} is missing`);
  try {
    return await executor.execute(
      {
        step_id: step.id,
        attempt_id: attempt.id,
        task: task.spec,
        patch: patchOf(task.spec),
        base_commit: scope.base,
        store: ground.store,
        place: workspace,
        sandbox: executor.runs_code ? sandboxFor(deps.confining, instance) : undefined,
        time_left_ms: scope.effective.timeout_ms,
        signal,
      },
      {
        started: (name) => noteProcess(deps, attempt.id, name),
        output: (chunk, from) => sink.write(chunk, from),
      },
    );
  } catch (error) {
    // An executor's own fault is an outcome too: the step must end, and what happened stands in the log.
    deps.log.error({ err: error, attempt: attempt.id }, 'executor failed');
    return { outcome: 'crashed', reason: reasonOf(error, 'executor_fault') };
  }
};

/**
 * Lets the executor work and records its outcome: the attempt ends, and the step goes on to `collecting` where there is something to collect.
 * A shutdown leaves an executor that may be repeated where it is.
 */
export const execute = async (scope: PreparedScope, workspace: Workspace | undefined): Promise<ExecutorResult | typeof LEFT> => {
  const { deps, step, attempt, executor, signal } = scope;
  let result = await perform(scope, workspace);
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
      { reason, exit_code: result.exit_code ?? null, signal: result.signal ?? null, tree: result.tree ?? null },
      { ...BY_DAEMON, data: { outcome: result.outcome, exit_code: result.exit_code ?? null } },
    );
    const resets = result.outcome === 'quota' ? result.resets_in_ms : undefined;
    const set = resets === undefined ? {} : { resume_at: tx.at + resets };
    if (left) tx.move.step(step.id, 'executed', set, BY_DAEMON);
    else tx.set.step(step.id, set);
  });
  return result;
};
