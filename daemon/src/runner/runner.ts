import { FairleadError } from '@fairlead/shared/contract/errors';
import { STEP_STATES } from '@fairlead/shared/contract/states';
import { BY_DAEMON } from '../core/records.ts';
import type { StopReason } from '../executors/executor.ts';
import type { Workspace } from '../workspaces/workspaces.ts';
import { openActivity, type ActivityLog, type LiveActivity } from './activity-log.ts';
import { check, checkoutFailed, NOTHING } from './check.ts';
import { collect } from './collect.ts';
import { conclude } from './conclude.ts';
import { endStep } from './end-step.ts';
import { execute, LEFT } from './execute.ts';
import { keepTrying } from './keep-trying.ts';
import { openSink } from './output-sink.ts';
import { beginAttempt, executorOf, prepare } from './prepare.ts';
import { reasonOf } from './reason.ts';
import { preparedScope, rowsOf, type PreparedScope, type RunnerDeps, type Scope } from './scope.ts';
import type { Round } from './validate.ts';

/**
 * What an attempt does to files and git, stage by stage. The simulation of the scheduler gives others, so that thousands of histories of all
 * that stands around them can be played in seconds.
 */
export interface Stages {
  readonly prepare: typeof prepare;
  readonly collect: typeof collect;
  readonly check: typeof check;
}
const STAGES: Stages = { prepare, collect, check };

/** Performs attempts. It chooses no state: what a stage observes is recorded, and core says what follows. */
export interface Runner {
  /** Takes a queued step through all its stages. Never rejects: what goes wrong is recorded with the step. */
  run(stepId: string, signal: AbortSignal): Promise<void>;
  /** Enters a step again that a crash left after its executor had ended. Never rejects. */
  resume(stepId: string, signal: AbortSignal): Promise<void>;
  /** Ends a step in mid-flight that nobody runs. Never rejects. */
  abandon(stepId: string): Promise<void>;
  /** Lets go of what waits for a ledger that cannot be written. */
  close(): void;
  /** What the executor of a running step says; undefined when none runs. */
  liveActivity(stepId: string): LiveActivity | undefined;
}

/** How a stopped preparation ends: nothing ran yet, so that nothing needs to be confirmed. */
const endPreparation = async ({ deps, step, attempt, signal }: Scope, error: unknown): Promise<void> => {
  const stopped = signal.aborted ? (signal.reason as StopReason) : undefined;
  if (stopped === 'shutdown') return;
  if (stopped === undefined && !(error instanceof FairleadError)) deps.log.error({ err: error, step: step.id }, 'preparation failed');
  const reason = stopped ? null : reasonOf(error);
  await deps.ledger.record((tx) => {
    if (stopped) tx.move.attempt(attempt.id, stopped === 'timeout' ? 'timed_out' : 'cancelled', {}, BY_DAEMON);
    else tx.move.attempt(attempt.id, 'lost', { reason }, BY_DAEMON);
    tx.move.step(
      step.id,
      stopped === undefined ? 'preparation_failed' : stopped === 'timeout' ? 'timed_out' : 'cancelled',
      { reason },
      BY_DAEMON,
    );
  });
};

const scopeFor = async (deps: RunnerDeps, stepId: string, signal: AbortSignal): Promise<Scope> => {
  const { attempt, ...rows } = rowsOf(deps.ledger, stepId);
  if (!attempt) throw new Error(`Step ${stepId} has no attempt`);
  const [executor, ground] = [executorOf(deps, attempt.executor), await deps.grounds.of(rows.instance)];
  return {
    deps,
    ...rows,
    attempt,
    executor,
    ground,
    signal,
    sink: openSink(deps.artifacts, deps.printed),
    activity: openActivity(deps.artifacts, deps.clock, deps.printed),
  };
};

/** From the end of the executor on. Each stage reads from the ledger where things stand, so that it can be entered again. */
const finish = async (scope: PreparedScope, workspace: Workspace | undefined, { collect, check }: Stages): Promise<void> => {
  const { deps } = scope;
  const now = (): PreparedScope => preparedScope({ ...scope, ...refreshed(deps, scope) });
  if (now().step.state === 'running') return conclude(now(), NOTHING);
  if (now().step.state === 'collecting') await collect(now(), workspace);
  if (workspace) await deps.workspaces.release(workspace);
  let round: Round;
  try {
    round = await check(now());
  } catch (error) {
    if (!(error instanceof FairleadError)) throw error;
    return checkoutFailed(scope, reasonOf(error));
  }
  if (scope.signal.aborted && scope.signal.reason === 'shutdown' && round.interrupted) return;
  await conclude(now(), round);
};

/** An agent's own files are kept as long as a later attempt may go on with its session. */
const letHomeGo = async ({ ledger, homes }: RunnerDeps, stepId: string): Promise<void> => {
  const step = ledger.read.step(stepId);
  if (!step?.attempt_id || !STEP_STATES[step.state].end || STEP_STATES[step.state].retry !== 'no') return;
  for (const { id } of ledger.read.attempts(stepId)) await homes.release(id);
};

const refreshed = (deps: RunnerDeps, scope: Scope): Pick<Scope, 'step' | 'attempt'> => {
  const { step, attempt } = rowsOf(deps.ledger, scope.step.id);
  return { step, attempt: attempt ?? scope.attempt };
};

/** Makes a stop signal with the step's time limit in it. */
const withLimit = async <T>(
  deps: RunnerDeps,
  timeoutMs: number,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const stop = new AbortController();
  const cancel = deps.clock.after(timeoutMs, () => stop.abort('timeout' satisfies StopReason));
  try {
    return await work(AbortSignal.any([outer, stop.signal]));
  } finally {
    cancel();
  }
};

export const createRunner = (deps: RunnerDeps, stages: Stages = STAGES): Runner => {
  const logs = new Map<string, ActivityLog>();
  const closing = new AbortController();

  /** Takes a step out of the queue, as soon as that can be written. Answers whether there is something to do. */
  const taken = async (stepId: string, signal: AbortSignal): Promise<boolean> => {
    try {
      // A halt that came while the ledger could not be written leaves it in the queue.
      const begin = async () => (signal.aborted ? undefined : beginAttempt(deps, stepId));
      return (await keepTrying(deps, closing.signal, stepId, begin)) !== undefined;
    } catch (error) {
      // It was cancelled while it waited: there is nothing to do.
      if (error instanceof FairleadError && error.code === 'transition_refused') return false;
      throw error;
    }
  };

  const whole = async (stepId: string, signal: AbortSignal): Promise<void> => {
    let scope: Scope | undefined;
    let prepared;
    try {
      scope = await scopeFor(deps, stepId, signal);
      logs.set(stepId, scope.activity);
      prepared = await stages.prepare(scope);
    } catch (error) {
      const { attempt, ...rows } = rowsOf(deps.ledger, stepId);
      await deps.workspaces.release({ name: attempt!.id });
      await endPreparation({ ...scope, deps, ...rows, attempt: attempt!, signal } as Scope, error);
      return;
    }
    if ((await execute(prepared.scope, prepared.workspace)) === LEFT) return;
    await finish(prepared.scope, prepared.workspace, stages);
    await letHomeGo(deps, stepId);
  };

  const again = async (stepId: string, signal: AbortSignal): Promise<void> => {
    const scope = preparedScope(await scopeFor(deps, stepId, signal));
    const workspace = scope.executor.needs === 'workspace' ? await deps.workspaces.find(scope.attempt.id) : undefined;
    const lost = scope.step.state === 'collecting' && scope.attempt.state === 'finished' && scope.attempt.tree === null && !workspace;
    if (lost) throw new FairleadError('store_unwritable', { detail: 'The workspace of the interrupted attempt is gone' });
    await finish(scope, workspace, stages);
  };

  const end = async (stepId: string, error: unknown): Promise<void> => {
    deps.log.error({ err: error, step: stepId }, 'a step cannot go on');
    await endStep(deps, stepId, reasonOf(error), closing.signal).catch((cause: unknown) =>
      deps.log.error({ err: cause, step: stepId }, 'the end of a step could not be written'),
    );
  };

  /** A fault of the daemon itself in mid-flight is an end too: what happened is known as far as it is recorded, but it cannot go on. */
  const guarded = async (stepId: string, signal: AbortSignal, work: typeof whole, ready: typeof taken): Promise<void> => {
    try {
      const step = deps.ledger.read.step(stepId);
      if (!step || !(await ready(stepId, signal))) return;
      await withLimit(deps, step.timeout_ms, signal, (limited) => work(stepId, limited));
    } catch (error) {
      await end(stepId, error);
    } finally {
      logs.delete(stepId);
    }
  };

  return {
    run: (stepId, signal) => guarded(stepId, signal, whole, taken),
    resume: (stepId, signal) => guarded(stepId, signal, again, async () => true),
    abandon: (stepId) => end(stepId, new FairleadError('outcome_unknown', { detail: 'Nobody runs the step any more' })),
    close: () => closing.abort(),
    liveActivity: (stepId) => logs.get(stepId),
  };
};
