import { grantDigest } from '@fairlead/shared/kit/delegation';
import { prefixOf } from '@fairlead/shared/contract/ids';
import { FairleadError } from '@fairlead/shared/contract/errors';
import type {
  ArtifactRecord,
  AttemptRecord,
  ChangeGate,
  ChangeRecord,
  GrantRecord,
  PermissionGate,
  RunRecord,
  StepRecord,
} from '../core/records.ts';
import type { Append } from './append.ts';
import type { LateWrites } from './late-writes.ts';
import type { About, NewGate, Tx } from './ledger.ts';
import type { Tables } from './tables.ts';
import { grantView } from './views.ts';

/** The parent of a new row. @throws FairleadError `not_found` */
const parent = <R>(found: R | undefined, what: string): R => {
  if (found !== undefined) return found;
  throw new FairleadError('not_found', { detail: `There is no ${what}` });
};

/** Runs and steps. */
const workAdditions = (tables: Tables, append: Append, at: () => number, nextQueueOrder: () => number, nextNumber: () => number) =>
  ({
    instance(record, about) {
      tables.instances.insert({ ...record, number: nextNumber(), prefix: prefixOf(record.id) });
      append('instance.added', { instance_id: record.id }, about, {
        label: record.label,
        target: record.target,
        policy_ref: record.policy_ref,
        default_executor: record.default_executor,
        unconfined: record.unconfined,
      });
    },
    run(record, about) {
      const run: RunRecord = { ...record, state: 'open', steps: 0, created_at: at(), ended_at: null };
      tables.runs.insert(run);
      append('run.started', { instance_id: run.instance_id, run_id: run.id }, about, { title: run.title, target: run.target });
      return run;
    },
    step(record, task, about) {
      const run = parent(tables.runs.get(record.run_id), 'run');
      const step: StepRecord = {
        reason: null,
        warnings: [],
        executor_used: null,
        confinement: null,
        base_commit: null,
        attempts: 0,
        attempt_id: null,
        change_id: null,
        gate_id: null,
        stop_requested_at: null,
        stop_why: null,
        resume_at: null,
        resumes: null,
        instructions: null,
        ended_at: null,
        ...record,
        number: run.steps + 1,
        state: 'queued',
        queue_order: nextQueueOrder(),
        asked_by: record.asked_by ?? [`local:${record.submitted_by.id}`],
        created_at: at(),
        updated_at: at(),
      };
      tables.steps.insert(step);
      tables.tasks.insert({ step_id: step.id, spec: task });
      tables.runs.update(run.id, { steps: step.number });
      append('step.queued', { instance_id: step.instance_id, run_id: step.run_id, step_id: step.id }, about, {
        number: step.number,
        title: step.title,
        executor: step.executor_requested,
        base: step.base,
        timeout_ms: step.timeout_ms,
        remote: step.remote,
      });
      return step;
    },
    attempt(record, about) {
      const step = parent(tables.steps.get(record.step_id), 'step');
      const attempt: AttemptRecord = {
        session: null,
        resumed_from: null,
        instructions: null,
        usage: null,
        ...record,
        number: step.attempts + 1,
        state: 'active',
        started_at: at(),
        ended_at: null,
      };
      tables.attempts.insert(attempt);
      tables.steps.update(step.id, { attempts: attempt.number, attempt_id: attempt.id, updated_at: at() });
      append('attempt.started', attempt, about, {
        attempt_id: attempt.id,
        number: attempt.number,
        executor: attempt.executor,
        simulated: attempt.simulated,
        confinement: attempt.confinement,
        base_commit: attempt.base_commit,
        policy_digest: attempt.policy_digest,
        policy_commit: attempt.policy_commit,
      });
      return attempt;
    },
  }) satisfies Partial<Tx['add']>;

/** What an attempt leaves, and what holds it. */
const evidenceAdditions = (tables: Tables, append: Append, at: () => number) =>
  ({
    change(record, about) {
      const change: ChangeRecord = { ...record, state: 'held', integrated: null, created_at: at() };
      tables.changes.insert(change);
      tables.steps.update(change.step_id, { change_id: change.id, updated_at: at() });
      append('change.recorded', change, about, {
        change_id: change.id,
        attempt_id: change.attempt_id,
        base_commit: change.base_commit,
        snapshot_commit: change.snapshot_commit,
        tree: change.tree,
        digest: change.digest,
        files: change.files.length,
        added: change.added,
        removed: change.removed,
        findings: change.findings.length,
      });
      return change;
    },
    validation(record, about) {
      tables.validations.insert(record);
      append('validation.recorded', record, about, {
        validation_id: record.id,
        attempt_id: record.attempt_id,
        name: record.name,
        phase: record.phase,
        required: record.required,
        passed: record.passed,
        exit_code: record.exit_code,
        duration_ms: record.duration_ms,
        confinement: record.confinement,
        tree: record.tree,
      });
    },
    gate<G extends ChangeGate | PermissionGate>(record: NewGate<G>, about: About): G {
      const gate = {
        ...record,
        state: 'pending',
        opened_at: at(),
        decided_at: null,
        decided_by: null,
        authority: null,
        comment: null,
      } as unknown as G;
      tables.gates.insert(gate);
      tables.steps.update(gate.step_id, { gate_id: gate.id, updated_at: at() });
      append('gate.opened', gate, about, {
        gate_id: gate.id,
        kind: gate.kind,
        ...(gate.kind === 'change' ? { change_id: gate.change_id } : { attempt_id: gate.attempt_id, tool: gate.permission.tool }),
        reasons: gate.reasons,
        digest: gate.digest,
        ...(gate.kind === 'change' && { binding: gate.binding }),
      });
      return gate;
    },
    artifact(record, about) {
      const artifact: ArtifactRecord = { ...record, created_at: at() };
      tables.artifacts.insert(artifact);
      append('artifact.recorded', artifact, about, {
        artifact_id: artifact.id,
        attempt_id: artifact.attempt_id,
        kind: artifact.kind,
        name: artifact.name,
        size: artifact.size,
        sha256: artifact.sha256,
        redactions: artifact.redactions,
      });
      return artifact;
    },
  }) satisfies Partial<Tx['add']>;

/** Every row that can be added, with its line of history. */
export const createAdditions = (
  late: LateWrites,
  tables: Tables,
  append: Append,
  at: () => number,
  nextQueueOrder: () => number,
): Tx['add'] => {
  const lastNumber = late.reader('select coalesce(max(number), 0) from instances', 'one');
  const lastSequence = late.reader('select coalesce(max(sequence), 0) from grants', 'one');
  const keepPolicy = late.writer('insert into policies (digest, body) values (?, ?) on conflict (digest) do nothing');
  return {
    ...workAdditions(tables, append, at, nextQueueOrder, () => (lastNumber.get() as number) + 1),
    ...evidenceAdditions(tables, append, at),
    grant(record, about) {
      const bare: GrantRecord = {
        ...record,
        sequence: (lastSequence.get() as number) + 1,
        spent: { steps: 0, wall_ms: 0 },
        revoked_at: null,
        digest: '',
      };
      const grant: GrantRecord = { ...bare, digest: grantDigest(grantView(bare)) };
      tables.grants.insert(grant);
      append('instance.shared', { instance_id: grant.instance_id }, about, {
        grant_id: grant.id,
        digest: grant.digest,
        connector_key: grant.connector_key,
        relay_key: grant.relay_key,
        operations: grant.operations,
        budget: grant.budget,
        expires_at: grant.expires_at,
        accept_relay_decisions: grant.accept_relay_decisions,
      });
      return grant;
    },
    credential: (record) => tables.credentials.insert(record),
    policy: (policy) => keepPolicy.run(policy.digest, JSON.stringify(policy)),
  };
};
