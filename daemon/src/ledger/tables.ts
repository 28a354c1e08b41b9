import type {
  ArtifactRecord,
  AttemptRecord,
  ChangeRecord,
  CredentialRecord,
  GateRecord,
  GitEffectRecord,
  GrantRecord,
  InstanceRecord,
  RunRecord,
  StepRecord,
  TaskRecord,
  ValidationRecord,
} from '../core/records.ts';
import type { LateWrites } from './late-writes.ts';
import { movingTable } from './moving-table.ts';
import { recordTable, type Columns } from './table.ts';

/** An instance with what follows from it: its place among all of them, and the part of its id that the ids of its resources carry. */
export interface StoredInstance extends InstanceRecord {
  readonly number: number;
  readonly prefix: string;
}

// The form of the columns of each table; the compiler checks that no field of a record is forgotten.

const INSTANCES: Columns<StoredInstance> = {
  id: 'plain',
  number: 'plain',
  prefix: 'plain',
  label: 'plain',
  repository: 'plain',
  target: 'plain',
  policy_ref: 'plain',
  listed_branches: 'json',
  default_executor: 'plain',
  unconfined: 'flag',
  nonce: 'plain',
  origin_digest: 'plain',
  added_at: 'plain',
  removed_at: 'plain',
};

const RUNS: Columns<RunRecord> = {
  id: 'plain',
  instance_id: 'plain',
  title: 'plain',
  target: 'plain',
  state: 'plain',
  steps: 'plain',
  submitted_by: 'json',
  authority: 'plain',
  created_at: 'plain',
  ended_at: 'plain',
};

const STEPS: Columns<StepRecord> = {
  id: 'plain',
  run_id: 'plain',
  instance_id: 'plain',
  number: 'plain',
  title: 'plain',
  state: 'plain',
  reason: 'json',
  warnings: 'json',
  executor_requested: 'plain',
  executor_used: 'plain',
  simulated: 'flag',
  confinement: 'plain',
  base: 'plain',
  base_commit: 'plain',
  attempts: 'plain',
  attempt_id: 'plain',
  change_id: 'plain',
  gate_id: 'plain',
  stop_requested_at: 'plain',
  stop_why: 'plain',
  queue_order: 'plain',
  resume_at: 'plain',
  resumes: 'plain',
  instructions: 'plain',
  timeout_ms: 'plain',
  remote: 'flag',
  grant_id: 'plain',
  submitted_by: 'json',
  authority: 'plain',
  asked_by: 'json',
  created_at: 'plain',
  updated_at: 'plain',
  ended_at: 'plain',
};

const TASKS: Columns<TaskRecord> = { step_id: 'plain', spec: 'json' };

const ATTEMPTS: Columns<AttemptRecord> = {
  id: 'plain',
  step_id: 'plain',
  run_id: 'plain',
  instance_id: 'plain',
  number: 'plain',
  state: 'plain',
  executor: 'plain',
  simulated: 'flag',
  confinement: 'plain',
  base_commit: 'plain',
  policy_digest: 'plain',
  policy_commit: 'plain',
  reason: 'json',
  exit_code: 'plain',
  signal: 'plain',
  pid: 'plain',
  pid_started: 'plain',
  tree: 'plain',
  session: 'plain',
  resumed_from: 'plain',
  instructions: 'plain',
  usage: 'json',
  started_at: 'plain',
  ended_at: 'plain',
};

const CHANGES: Columns<ChangeRecord> = {
  id: 'plain',
  step_id: 'plain',
  attempt_id: 'plain',
  run_id: 'plain',
  instance_id: 'plain',
  state: 'plain',
  base_commit: 'plain',
  snapshot_commit: 'plain',
  tree: 'plain',
  digest: 'plain',
  files: 'json',
  added: 'plain',
  removed: 'plain',
  findings: 'json',
  patch_artifact_id: 'plain',
  integrated: 'json',
  reason: 'json',
  created_at: 'plain',
};

const VALIDATIONS: Columns<ValidationRecord> = {
  id: 'plain',
  step_id: 'plain',
  attempt_id: 'plain',
  run_id: 'plain',
  instance_id: 'plain',
  name: 'plain',
  phase: 'plain',
  required: 'flag',
  passed: 'flag',
  argv: 'json',
  exit_code: 'plain',
  signal: 'plain',
  timed_out: 'flag',
  duration_ms: 'plain',
  confinement: 'plain',
  tree: 'plain',
  output_artifact_id: 'plain',
  output_tail: 'plain',
  started_at: 'plain',
};

const GATES: Columns<GateRecord> = {
  id: 'plain',
  kind: 'plain',
  instance_id: 'plain',
  run_id: 'plain',
  step_id: 'plain',
  attempt_id: 'plain',
  change_id: 'plain',
  state: 'plain',
  reasons: 'json',
  digest: 'plain',
  binding: 'json',
  permission: 'json',
  opened_at: 'plain',
  expires_at: 'plain',
  decided_at: 'plain',
  decided_by: 'json',
  authority: 'plain',
  comment: 'plain',
};

const ARTIFACTS: Columns<ArtifactRecord> = {
  id: 'plain',
  instance_id: 'plain',
  run_id: 'plain',
  step_id: 'plain',
  attempt_id: 'plain',
  kind: 'plain',
  name: 'plain',
  media_type: 'plain',
  size: 'plain',
  sha256: 'plain',
  redactions: 'json',
  created_at: 'plain',
};

const GRANTS: Columns<GrantRecord> = {
  id: 'plain',
  instance_id: 'plain',
  connector_key: 'plain',
  relay_key: 'plain',
  operations: 'json',
  executors: 'json',
  validations: 'json',
  budget: 'json',
  spent: 'json',
  accept_relay_decisions: 'flag',
  sequence: 'plain',
  created_at: 'plain',
  expires_at: 'plain',
  revoked_at: 'plain',
  digest: 'plain',
};

const CREDENTIALS: Columns<CredentialRecord> = {
  hash: 'plain',
  kind: 'plain',
  connector_key: 'plain',
  grant_id: 'plain',
  created_at: 'plain',
  revoked_at: 'plain',
};

const GIT_EFFECTS: Columns<GitEffectRecord> = {
  id: 'plain',
  kind: 'plain',
  instance_id: 'plain',
  run_id: 'plain',
  step_id: 'plain',
  change_id: 'plain',
  state: 'plain',
  ref: 'plain',
  from: 'plain',
  to: 'plain',
  planned_at: 'plain',
  updated_at: 'plain',
};

/** The tables of the ledger. Runs, steps and attempts are in motion; the others are written once, or seldom. */
export const openTables = (late: LateWrites) => ({
  instances: recordTable(late, 'instances', 'id', INSTANCES),
  runs: movingTable(late, 'runs', 'id', RUNS),
  steps: movingTable(late, 'steps', 'id', STEPS),
  tasks: recordTable(late, 'tasks', 'step_id', TASKS),
  attempts: movingTable(late, 'attempts', 'id', ATTEMPTS),
  changes: recordTable(late, 'changes', 'id', CHANGES),
  validations: recordTable(late, 'validations', 'id', VALIDATIONS),
  gates: recordTable(late, 'gates', 'id', GATES),
  artifacts: recordTable(late, 'artifacts', 'id', ARTIFACTS),
  grants: recordTable(late, 'grants', 'id', GRANTS),
  credentials: recordTable(late, 'credentials', 'hash', CREDENTIALS),
  effects: recordTable(late, 'git_effects', 'id', GIT_EFFECTS),
});

export type Tables = ReturnType<typeof openTables>;
