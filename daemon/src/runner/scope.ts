import type { GateBinding } from '@fairlead/shared/contract/gates';
import type { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import type { Clock } from '@fairlead/shared/kit/clock';
import type { Log } from '@fairlead/shared/kit/log';
import type { AttemptRecord, ChangeRecord, InstanceRecord, RunRecord, StepRecord, ValidationRecord } from '../core/records.ts';
import type { Executor } from '../executors/executor.ts';
import type { ExecutorRegistry } from '../executors/registry.ts';
import type { ArtifactFiles } from '../ledger/artifact-files.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { EffectivePolicy } from '../policy/effective.ts';
import type { Confining } from '../process/detect.ts';
import type { Redactor } from '../process/redactor.ts';
import type { Workspaces } from '../workspaces/workspaces.ts';
import type { ActivityLog } from './activity-log.ts';
import type { Ground, Grounds } from './grounds.ts';
import type { AgentHomes } from './agent-homes.ts';
import type { OutputSink } from './output-sink.ts';

/** What the runner is made with, once, at start. */
export interface RunnerDeps {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly log: Log;
  readonly artifacts: ArtifactFiles;
  readonly executors: ExecutorRegistry;
  readonly grounds: Grounds;
  readonly workspaces: Workspaces;
  /** Agents' own files. */
  readonly homes: AgentHomes;
  readonly confining: Pick<Confining, 'sandbox' | 'unconfined'>;
  readonly redactor: Redactor;
  /** For what programs print: it masks the places of this machine too, which a sandbox cannot hide from `/proc/self/mountinfo`. */
  readonly printed: Redactor;
  /** The policy that the daemon's config holds for an instance; it wins over the policy ref. */
  policyOverride(instanceId: string): ProjectPolicy | undefined;
  /** What a gate on this change would be bound to, now. `delivery/gates` gives it. */
  bindGate(change: ChangeRecord, validations: readonly ValidationRecord[], policyDigest: string): Promise<GateBinding>;
}

/** One attempt under way. Stages read it; what a stage finds out goes into the ledger, and the next one reads it there. */
export interface Scope {
  readonly deps: RunnerDeps;
  readonly step: StepRecord;
  readonly attempt: AttemptRecord;
  readonly instance: InstanceRecord;
  readonly run: RunRecord;
  readonly executor: Executor;
  readonly ground: Ground;
  /** Aborted with a `StopReason`. */
  readonly signal: AbortSignal;
  /** What the executor and its provisioning print. */
  readonly sink: OutputSink;
  /** What the executor says and does. */
  readonly activity: ActivityLog;
}

/** A scope whose base and policy are settled: everything after preparation. */
export interface PreparedScope extends Scope {
  readonly base: string;
  readonly effective: EffectivePolicy;
}

/** Reads a step's records anew. The rows of one attempt belong together, so a missing one is a fault of ours. */
export const rowsOf = (
  ledger: Ledger,
  stepId: string,
): Pick<Scope, 'step' | 'instance' | 'run'> & { readonly attempt: AttemptRecord | undefined } => {
  const step = ledger.read.step(stepId);
  const run = step && ledger.read.run(step.run_id);
  const instance = step && ledger.read.instance(step.instance_id);
  if (!step || !run || !instance) throw new Error(`The rows of ${stepId} are not whole`);
  return { step, run, instance, attempt: step.attempt_id === null ? undefined : ledger.read.attempt(step.attempt_id) };
};

/** Adds what preparation recorded. */
export const preparedScope = (scope: Scope): PreparedScope => {
  const { base_commit: base, policy_digest: digest } = scope.attempt;
  const effective = digest === null ? undefined : scope.deps.ledger.read.policy(digest);
  if (base === null || !effective) throw new Error(`Attempt ${scope.attempt.id} was not prepared`);
  return { ...scope, base, effective };
};
