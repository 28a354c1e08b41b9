import { FairleadError } from '@fairlead/shared/contract/errors';
import { newResourceId } from '@fairlead/shared/contract/ids';
import type { Confinement } from '@fairlead/shared/contract/states';
import { BY_DAEMON } from '../core/records.ts';
import { executorOfAttempt } from '../core/turn.ts';
import type { AttemptRecord, InstanceRecord } from '../core/records.ts';
import type { Executor } from '../executors/executor.ts';
import { takeSnapshot } from '../git/snapshot.ts';
import { syncStore } from '../git/store.ts';
import { putAway } from '../ledger/put-away.ts';
import type { EffectivePolicy } from '../policy/effective.ts';
import { effectivePolicy } from '../policy/effective.ts';
import type { Workspace } from '../workspaces/workspaces.ts';
import { refsFor, resolveBase } from './base.ts';
import { withCopiedSecrets } from './copied-secrets.ts';
import { sandboxFor, sandboxOf } from './grounds.ts';
import { ownerPolicyOf } from './policy-in-force.ts';
import { preparedScope, rowsOf, type PreparedScope, type RunnerDeps, type Scope } from './scope.ts';

export interface Prepared {
  readonly scope: PreparedScope;
  readonly workspace: Workspace | undefined;
}

/** Takes a step out of the queue and begins an attempt of it. Undefined where the owner has halted meanwhile: it waits in the queue. */
export const beginAttempt = (deps: RunnerDeps, stepId: string): Promise<AttemptRecord | undefined> =>
  deps.ledger.record((tx) => {
    if (tx.read.halted()) return undefined;
    const before = tx.read.step(stepId);
    if (!before) throw new Error(`Step ${stepId} is missing`);
    // What an attempt left that reached its limit was never checked and never shown to a person: it is evidence, and does not land.
    putAway(tx, before, BY_DAEMON);
    const step = tx.move.step(stepId, 'prepared', { resumes: null, instructions: null, change_id: null }, BY_DAEMON);
    // What was said for this attempt stood in the step until now.
    const { resumes, instructions } = before;
    return tx.add.attempt(
      {
        id: newResourceId('att', step.instance_id),
        step_id: step.id,
        run_id: step.run_id,
        instance_id: step.instance_id,
        executor: executorOfAttempt([step.executor_requested, ...(tx.read.task(stepId)?.spec.fallback ?? [])], tx.read.attempts(stepId)),
        simulated: step.simulated,
        confinement: null,
        base_commit: null,
        policy_digest: null,
        policy_commit: null,
        reason: null,
        exit_code: null,
        signal: null,
        pid: null,
        pid_started: null,
        tree: null,
        resumed_from: resumes,
        instructions,
      },
      BY_DAEMON,
    );
  });

/** The executor that was asked for; it is never swapped. @throws FairleadError `executor_unknown`, `executor_unavailable` */
export const executorOf = (deps: RunnerDeps, id: string): Executor => {
  const executor = deps.executors.get(id);
  const reason = executor.unavailable();
  if (reason !== undefined) throw new FairleadError('executor_unavailable', { detail: reason });
  return executor;
};

/** What will confine this attempt. @throws FairleadError `sandbox_unavailable` before anything ran */
const confinementOf = (deps: RunnerDeps, instance: InstanceRecord, executor: Executor, effective: EffectivePolicy): Confinement => {
  if (!executor.runs_code && effective.validations.length === 0) return 'not_needed';
  const sandbox = sandboxFor(deps.confining, instance);
  if (!sandbox)
    throw new FairleadError('sandbox_unavailable', { detail: 'This machine has no sandbox, and nothing may run without one here' });
  return sandbox.kind;
};

/**
 * The files that a resumed agent left: the tree that was collected of them, or its workspace as a crash left it. Undefined where there is
 * nothing of them, so that it begins on the base again.
 */
const leftTree = async ({ deps, attempt, ground }: Scope): Promise<string | undefined> => {
  if (attempt.resumed_from === null) return undefined;
  const earlier = deps.ledger.read.attempt(attempt.resumed_from);
  if (!earlier || earlier.tree !== null) return earlier?.tree ?? undefined;
  const workspace = await deps.workspaces.find(earlier.id);
  if (!workspace) return undefined;
  const { tree } = await takeSnapshot(ground.store, workspace.folder, workspace.index);
  await deps.workspaces.release(workspace);
  return tree;
};

const makeWorkspace = async (scope: Scope, base: string, effective: EffectivePolicy): Promise<Workspace | undefined> => {
  const { deps, attempt, executor, ground, instance, sink, signal } = scope;
  if (executor.needs === 'store') return undefined;
  const sandbox = executor.runs_code ? sandboxOf(deps.confining, instance, attempt.id) : undefined;
  const tree = await leftTree(scope);
  const workspace = await deps.workspaces.create({
    name: attempt.id,
    store: ground.store,
    commit: base,
    ...(tree !== undefined && { tree }),
    ...(sandbox && { private_git: sandbox.kind }),
  });
  if (!sandbox) return workspace;
  return deps.workspaces.provision(workspace, {
    policy: effective.provision,
    repository: ground.repository,
    sandbox,
    timeout_ms: effective.timeout_ms,
    output: (chunk, from) => sink.write(chunk, from),
    signal,
  });
};

/**
 * Settles base, policy, confinement and workspace of an attempt, and records them with `started`.
 * Nothing that this does has an effect outside the daemon's own folders, so that an interrupted preparation is simply begun again.
 * @throws FairleadError what the step then fails its preparation with; the signal's reason when it was stopped
 */
export const prepare = async (scope: Scope): Promise<Prepared> => {
  const { deps, step, run, instance, attempt, executor, ground, signal } = scope;
  const tips = await syncStore(ground.store, ground.repository, refsFor(instance, run));
  const base = await resolveBase(deps.ledger.read, { step, run, instance }, ground, tips);
  const owner = await ownerPolicyOf(ground, instance, tips, deps.policyOverride(instance.id));
  const task = deps.ledger.read.task(step.id);
  if (!task) throw new Error(`The task of ${step.id} is missing`);
  const effective = effectivePolicy(owner, task.spec);
  const confinement = confinementOf(deps, instance, executor, effective);
  signal.throwIfAborted();
  const masking = await withCopiedSecrets(deps, ground.repository, effective);
  scope.sink.maskWith(masking.printed);
  scope.activity.maskWith(masking.printed);
  const workspace = await makeWorkspace(scope, base, effective);
  signal.throwIfAborted();
  await deps.ledger.record((tx) => {
    tx.add.policy(effective);
    tx.set.attempt(attempt.id, { base_commit: base, policy_digest: effective.digest, policy_commit: effective.commit, confinement });
    tx.move.step(
      step.id,
      'started',
      { base_commit: base, executor_used: executor.id, confinement },
      {
        ...BY_DAEMON,
        data: { base_commit: base, policy_digest: effective.digest, policy_source: effective.source, confinement },
      },
    );
  });
  return { scope: preparedScope({ ...scope, deps: masking, ...rowsNow(deps, step.id) }), workspace };
};

const rowsNow = (deps: RunnerDeps, stepId: string): Pick<Scope, 'step' | 'run' | 'instance' | 'attempt'> => {
  const { attempt, ...rows } = rowsOf(deps.ledger, stepId);
  if (!attempt) throw new Error(`Step ${stepId} has no attempt`);
  return { ...rows, attempt };
};
