import { isoTime } from '@fairlead/shared/kit/clock';
import type { Artifact, Attempt, Change, Event, Grant, Run, Step, Validation } from '@fairlead/shared/contract/resources';
import type { Gate } from '@fairlead/shared/contract/gates';
import { STEP_STATES, type StepState } from '@fairlead/shared/contract/states';
import { formatCursor } from '../core/cursor.ts';
import { runProgress } from '../core/progress.ts';
import type {
  ArtifactRecord,
  AttemptRecord,
  ChangeRecord,
  EventRecord,
  GateRecord,
  GrantRecord,
  RunRecord,
  StepRecord,
  ValidationRecord,
} from '../core/records.ts';
import type { Reads } from './ledger.ts';

const time = (ms: number | null): string | null => (ms === null ? null : isoTime(ms));

/** A step as operations answer it. @param position its place in the queue, `read.position(step)` */
const stepView = (step: StepRecord, position: number | null): Step => ({
  id: step.id,
  run_id: step.run_id,
  instance_id: step.instance_id,
  number: step.number,
  title: step.title,
  state: step.state,
  ended: STEP_STATES[step.state].end,
  reason: step.reason,
  warnings: step.warnings as string[],
  executor: { requested: step.executor_requested, used: step.executor_used },
  simulated: step.simulated,
  confinement: step.confinement,
  position,
  base: step.base,
  base_commit: step.base_commit,
  attempts: step.attempts,
  attempt_id: step.attempt_id,
  change_id: step.change_id,
  gate_id: step.gate_id,
  stop_requested_at: time(step.stop_requested_at),
  submitted_by: step.submitted_by,
  authority: step.authority,
  created_at: isoTime(step.created_at),
  updated_at: isoTime(step.updated_at),
  ended_at: time(step.ended_at),
});

/** The same, with the place in the queue looked up. */
export const stepNow = (read: Reads, step: StepRecord): Step => stepView(step, read.position(step));

/** A run as operations answer it. @param counts how many of its steps are in each state, `read.stepCounts(run.id)` */
const runView = (run: RunRecord, counts: Readonly<Partial<Record<StepState, number>>>): Run => ({
  id: run.id,
  instance_id: run.instance_id,
  title: run.title,
  target: run.target,
  state: run.state,
  progress: runProgress(counts),
  steps: run.steps,
  submitted_by: run.submitted_by,
  authority: run.authority,
  created_at: isoTime(run.created_at),
  ended_at: time(run.ended_at),
});

export const runNow = (read: Reads, run: RunRecord): Run => runView(run, read.stepCounts(run.id));

export const attemptView = (attempt: AttemptRecord): Attempt => ({
  id: attempt.id,
  step_id: attempt.step_id,
  number: attempt.number,
  state: attempt.state,
  executor: attempt.executor,
  simulated: attempt.simulated,
  confinement: attempt.confinement,
  base_commit: attempt.base_commit,
  policy_digest: attempt.policy_digest,
  policy_commit: attempt.policy_commit,
  reason: attempt.reason,
  exit_code: attempt.exit_code,
  signal: attempt.signal,
  usage: attempt.usage,
  resumable: attempt.session !== null && attempt.state !== 'active',
  resumed_from: attempt.resumed_from,
  started_at: isoTime(attempt.started_at),
  ended_at: time(attempt.ended_at),
});

export const changeView = ({ run_id: _run, instance_id: _instance, ...change }: ChangeRecord): Change => ({
  ...change,
  files: [...change.files],
  findings: [...change.findings],
  created_at: isoTime(change.created_at),
});

export const validationView = ({ run_id: _run, instance_id: _instance, tree: _tree, ...validation }: ValidationRecord): Validation => ({
  ...validation,
  argv: [...validation.argv],
  started_at: isoTime(validation.started_at),
});

export const gateView = ({ run_id: _run, instance_id: _instance, ...gate }: GateRecord): Gate => ({
  ...gate,
  reasons: [...gate.reasons],
  opened_at: isoTime(gate.opened_at),
  expires_at: isoTime(gate.expires_at),
  decided_at: time(gate.decided_at),
});

export const artifactView = ({ run_id: _run, instance_id: _instance, ...artifact }: ArtifactRecord): Artifact => ({
  ...artifact,
  created_at: isoTime(artifact.created_at),
});

export const grantView = ({ sequence: _sequence, ...grant }: GrantRecord): Grant => ({
  ...grant,
  operations: [...grant.operations],
  executors: grant.executors && [...grant.executors],
  validations: grant.validations && [...grant.validations],
  created_at: isoTime(grant.created_at),
  expires_at: isoTime(grant.expires_at),
  revoked_at: time(grant.revoked_at),
});

/** A line of history as operations answer it. @param epoch the ledger's */
export const eventView = (event: EventRecord, epoch: string): Event => ({
  cursor: formatCursor({ epoch, seq: event.instance_seq }),
  ...event,
  at: isoTime(event.at),
});
