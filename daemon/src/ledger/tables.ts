import type { Database } from '@fairlead/shared/kit/sqlite';
import type {
  ArtifactRecord,
  AttemptRecord,
  ChangeRecord,
  CredentialRecord,
  EventRecord,
  GateRecord,
  GitEffectRecord,
  GrantRecord,
  InstanceRecord,
  RunRecord,
  StepRecord,
  TaskRecord,
  ValidationRecord,
} from '../core/records.ts';
import { recordTable } from './table.ts';

/** The tables of the ledger, each with the form of its columns; the compiler checks that no field of a record is forgotten. */
export const openTables = (db: Database) => ({
  instances: recordTable<InstanceRecord & { readonly prefix: string }>(db, 'instances', 'id', {
    id: 'plain', prefix: 'plain', label: 'plain', repository: 'plain', target: 'plain', policy_ref: 'plain', listed_branches: 'json',
    default_executor: 'plain', unconfined: 'flag', nonce: 'plain', origin_digest: 'plain', added_at: 'plain', removed_at: 'plain',
  }),
  runs: recordTable<RunRecord>(db, 'runs', 'id', {
    id: 'plain', instance_id: 'plain', title: 'plain', target: 'plain', state: 'plain', steps: 'plain', submitted_by: 'json',
    authority: 'plain', created_at: 'plain', ended_at: 'plain',
  }),
  steps: recordTable<StepRecord>(db, 'steps', 'id', {
    id: 'plain', run_id: 'plain', instance_id: 'plain', number: 'plain', title: 'plain', state: 'plain', reason: 'json', warnings: 'json',
    executor_requested: 'plain', executor_used: 'plain', simulated: 'flag', confinement: 'plain', base: 'plain', base_commit: 'plain',
    attempts: 'plain', attempt_id: 'plain', change_id: 'plain', gate_id: 'plain', stop_requested_at: 'plain', stop_why: 'plain',
    queue_order: 'plain', resume_at: 'plain', timeout_ms: 'plain', remote: 'flag', grant_id: 'plain', submitted_by: 'json',
    authority: 'plain', asked_by: 'json', created_at: 'plain', updated_at: 'plain', ended_at: 'plain',
  }),
  tasks: recordTable<TaskRecord>(db, 'tasks', 'step_id', { step_id: 'plain', spec: 'json' }),
  attempts: recordTable<AttemptRecord>(db, 'attempts', 'id', {
    id: 'plain', step_id: 'plain', run_id: 'plain', instance_id: 'plain', number: 'plain', state: 'plain', executor: 'plain',
    simulated: 'flag', confinement: 'plain', base_commit: 'plain', policy_digest: 'plain', policy_commit: 'plain', reason: 'json',
    exit_code: 'plain', signal: 'plain', pid: 'plain', pid_started: 'plain', tree: 'plain', started_at: 'plain', ended_at: 'plain',
  }),
  changes: recordTable<ChangeRecord>(db, 'changes', 'id', {
    id: 'plain', step_id: 'plain', attempt_id: 'plain', run_id: 'plain', instance_id: 'plain', state: 'plain', base_commit: 'plain',
    snapshot_commit: 'plain', tree: 'plain', digest: 'plain', files: 'json', added: 'plain', removed: 'plain', findings: 'json',
    patch_artifact_id: 'plain', integrated: 'json', reason: 'json', created_at: 'plain',
  }),
  validations: recordTable<ValidationRecord>(db, 'validations', 'id', {
    id: 'plain', step_id: 'plain', attempt_id: 'plain', run_id: 'plain', instance_id: 'plain', name: 'plain', phase: 'plain',
    required: 'flag', passed: 'flag', argv: 'json', exit_code: 'plain', signal: 'plain', timed_out: 'flag', duration_ms: 'plain',
    confinement: 'plain', tree: 'plain', output_artifact_id: 'plain', output_tail: 'plain', started_at: 'plain',
  }),
  gates: recordTable<GateRecord>(db, 'gates', 'id', {
    id: 'plain', kind: 'plain', instance_id: 'plain', run_id: 'plain', step_id: 'plain', change_id: 'plain', state: 'plain',
    reasons: 'json', digest: 'plain', binding: 'json', opened_at: 'plain', expires_at: 'plain', decided_at: 'plain', decided_by: 'json',
    authority: 'plain', comment: 'plain',
  }),
  artifacts: recordTable<ArtifactRecord>(db, 'artifacts', 'id', {
    id: 'plain', instance_id: 'plain', run_id: 'plain', step_id: 'plain', attempt_id: 'plain', kind: 'plain', name: 'plain',
    media_type: 'plain', size: 'plain', sha256: 'plain', redactions: 'plain', created_at: 'plain',
  }),
  grants: recordTable<GrantRecord>(db, 'grants', 'id', {
    id: 'plain', instance_id: 'plain', connector_key: 'plain', relay_key: 'plain', operations: 'json', executors: 'json',
    validations: 'json', budget: 'json', spent: 'json', accept_relay_decisions: 'flag', sequence: 'plain', created_at: 'plain',
    expires_at: 'plain', revoked_at: 'plain', digest: 'plain',
  }),
  credentials: recordTable<CredentialRecord>(db, 'credentials', 'hash', {
    hash: 'plain', kind: 'plain', connector_key: 'plain', grant_id: 'plain', created_at: 'plain', revoked_at: 'plain',
  }),
  effects: recordTable<GitEffectRecord>(db, 'git_effects', 'id', {
    id: 'plain', kind: 'plain', instance_id: 'plain', run_id: 'plain', step_id: 'plain', change_id: 'plain', state: 'plain', ref: 'plain',
    from: 'plain', to: 'plain', planned_at: 'plain', updated_at: 'plain',
  }),
  events: recordTable<EventRecord>(db, 'events', 'instance_seq', {
    instance_id: 'plain', instance_seq: 'plain', run_id: 'plain', run_seq: 'plain', step_id: 'plain', type: 'plain', at: 'plain',
    principal: 'json', authority: 'plain', data: 'json', prev_hash: 'plain', hash: 'plain', instance_hash: 'plain',
  }),
});

export type Tables = ReturnType<typeof openTables>;
