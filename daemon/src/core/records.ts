import type { ARTIFACT_KINDS, ChangedFile, EventType, FenceFinding, Integrated } from '@fairlead/shared/contract/resources';
import type { GateBinding, PermissionBinding } from '@fairlead/shared/contract/gates';
import type { Principal } from '@fairlead/shared/contract/values';
import type { Usage } from '@fairlead/shared/contract/activity';
import type { GateReason } from '@fairlead/shared/contract/project-policy';
import type { AttemptState, Authority, ChangeState, Confinement, GateState, RunState, StepState } from '@fairlead/shared/contract/states';
import type { TaskSpec } from '@fairlead/shared/contract/task';

/**
 * The rows of the ledger as plain records. Times are epoch milliseconds; commits and trees are hex; digests are `sha256:<hex>`.
 * Text that a planner or an agent wrote is untrusted wherever it appears.
 */
export interface Reason {
  readonly code: string;
  readonly message: string;
}

export interface InstanceRecord {
  readonly id: string;
  readonly label: string;
  /** Absolute path of the user's repository. Never leaves the machine. */
  readonly repository: string;
  /** Full name of the branch that runs are for by default. */
  readonly target: string;
  /** Full name of the ref that project policy is read from. */
  readonly policy_ref: string;
  /** Branches, beside the target, from which a remote base may come. */
  readonly listed_branches: readonly string[];
  readonly default_executor: string;
  readonly unconfined: boolean;
  /** base64url of the 16 bytes that the id is derived from. */
  readonly nonce: string;
  readonly origin_digest: string | null;
  readonly added_at: number;
  readonly removed_at: number | null;
}

export interface RunRecord {
  readonly id: string;
  readonly instance_id: string;
  readonly title: string;
  readonly target: string;
  readonly state: RunState;
  /** How many steps it has had. */
  readonly steps: number;
  readonly submitted_by: Principal;
  readonly authority: Authority;
  readonly created_at: number;
  readonly ended_at: number | null;
}

export interface StepRecord {
  readonly id: string;
  readonly run_id: string;
  readonly instance_id: string;
  /** 1 for the first step of its run. */
  readonly number: number;
  readonly title: string;
  readonly state: StepState;
  readonly reason: Reason | null;
  readonly warnings: readonly string[];
  readonly executor_requested: string;
  readonly executor_used: string | null;
  readonly simulated: boolean;
  readonly confinement: Confinement | null;
  /** As the task named it: `target`, a step id or a commit. */
  readonly base: string;
  readonly base_commit: string | null;
  readonly attempts: number;
  readonly attempt_id: string | null;
  readonly change_id: string | null;
  readonly gate_id: string | null;
  /** A stop was asked for, and by whom it matters: `cancel` ends `cancelled`, `halt` too. */
  readonly stop_requested_at: number | null;
  readonly stop_why: 'cancel' | 'halt' | null;
  /** Its order in the queue; a step that is queued again goes to the end. */
  readonly queue_order: number;
  /** When a step in `waiting_quota` queues itself again. */
  readonly resume_at: number | null;
  /** The attempt whose session the next one goes on with. */
  readonly resumes: string | null;
  /** What whoever retried it had to say to the agent besides. Untrusted. */
  readonly instructions: string | null;
  /** Milliseconds that one attempt may take from its start. */
  readonly timeout_ms: number;
  /** Whether the connector's credential asked, for this attempt or an earlier one. */
  readonly remote: boolean;
  readonly grant_id: string | null;
  readonly submitted_by: Principal;
  readonly authority: Authority;
  /** Subjects (`policy/subject`) of those who submitted or retried it: none of them approves it remotely. */
  readonly asked_by: readonly string[];
  readonly created_at: number;
  readonly updated_at: number;
  readonly ended_at: number | null;
}

/** The task of a step, normalised and whole, kept apart so that reading a step stays cheap. */
export interface TaskRecord {
  readonly step_id: string;
  readonly spec: TaskSpec;
}

export interface AttemptRecord {
  readonly id: string;
  readonly step_id: string;
  readonly run_id: string;
  readonly instance_id: string;
  readonly number: number;
  readonly state: AttemptState;
  readonly executor: string;
  readonly simulated: boolean;
  readonly confinement: Confinement | null;
  readonly base_commit: string | null;
  /** The effective policy in force, kept whole under this digest (`read.policy`). */
  readonly policy_digest: string | null;
  readonly policy_commit: string | null;
  readonly reason: Reason | null;
  readonly exit_code: number | null;
  readonly signal: string | null;
  /** The confined process, for recovery: a pid means nothing without its start time. */
  readonly pid: number | null;
  readonly pid_started: string | null;
  /** What the executor left, as soon as it is snapshotted, so that a later stage can be entered again. */
  readonly tree: string | null;
  /** The agent's own name of its session, so that a later attempt can go on with it. */
  readonly session: string | null;
  /** The attempt whose session and work this one took over. */
  readonly resumed_from: string | null;
  /** What whoever retried the step had to say besides. Untrusted. */
  readonly instructions: string | null;
  /** As the agent reports it. */
  readonly usage: Usage | null;
  readonly started_at: number;
  readonly ended_at: number | null;
}

export interface ChangeRecord {
  readonly id: string;
  readonly step_id: string;
  readonly attempt_id: string;
  readonly run_id: string;
  readonly instance_id: string;
  readonly state: ChangeState;
  readonly base_commit: string;
  readonly snapshot_commit: string;
  readonly tree: string;
  readonly digest: string;
  readonly files: readonly ChangedFile[];
  readonly added: number;
  readonly removed: number;
  readonly findings: readonly FenceFinding[];
  readonly patch_artifact_id: string;
  readonly integrated: Integrated | null;
  readonly reason: Reason | null;
  readonly created_at: number;
}

export type ValidationPhase = 'change' | 'judges_restored' | 'integration';

export interface ValidationRecord {
  readonly id: string;
  readonly step_id: string;
  readonly attempt_id: string;
  readonly run_id: string;
  readonly instance_id: string;
  readonly name: string;
  readonly phase: ValidationPhase;
  readonly required: boolean;
  readonly passed: boolean;
  readonly argv: readonly string[];
  readonly exit_code: number | null;
  readonly signal: string | null;
  readonly timed_out: boolean;
  readonly duration_ms: number;
  readonly confinement: Confinement;
  /** The tree that was checked. */
  readonly tree: string;
  readonly output_artifact_id: string | null;
  readonly output_tail: string;
  readonly started_at: number;
}

/** What a gate holds: finished work, or a request of an agent that works. */
type Held =
  | {
      readonly kind: 'change';
      readonly change_id: string;
      readonly binding: GateBinding;
      readonly permission: null;
      readonly attempt_id: null;
    }
  | {
      readonly kind: 'permission';
      readonly change_id: null;
      readonly binding: null;
      readonly permission: PermissionBinding;
      readonly attempt_id: string;
    };

export type GateRecord = GateFacts & Held;
export type ChangeGate = Extract<GateRecord, { kind: 'change' }>;
export type PermissionGate = Extract<GateRecord, { kind: 'permission' }>;

interface GateFacts {
  readonly id: string;
  readonly instance_id: string;
  readonly run_id: string;
  readonly step_id: string;
  readonly state: GateState;
  readonly reasons: readonly GateReason[];
  /** `gateDigest` of what it holds: what a decision names. */
  readonly digest: string;
  readonly opened_at: number;
  readonly expires_at: number;
  readonly decided_at: number | null;
  readonly decided_by: Principal | null;
  readonly authority: Authority | null;
  readonly comment: string | null;
}

export type ArtifactKind = (typeof ARTIFACT_KINDS)[number];

export interface ArtifactRecord {
  readonly id: string;
  readonly instance_id: string;
  readonly run_id: string;
  readonly step_id: string;
  readonly attempt_id: string | null;
  readonly kind: ArtifactKind;
  readonly name: string;
  readonly media_type: string;
  readonly size: number;
  readonly sha256: string;
  readonly redactions: Readonly<Record<string, number>>;
  readonly created_at: number;
}

export interface GrantRecord {
  readonly id: string;
  readonly instance_id: string;
  readonly connector_key: string;
  readonly relay_key: string;
  readonly operations: readonly string[];
  readonly executors: readonly string[] | null;
  readonly validations: readonly string[] | null;
  readonly budget: { readonly steps: number | null; readonly wall_ms: number | null };
  readonly spent: { readonly steps: number; readonly wall_ms: number };
  readonly accept_relay_decisions: boolean;
  /** Grows with every grant of the daemon: of two delegations for an instance the higher sequence wins. */
  readonly sequence: number;
  readonly created_at: number;
  readonly expires_at: number;
  readonly revoked_at: number | null;
  readonly digest: string;
}

/** A credential is kept as the hash of its secret. A connector's is bound to its key, and ends with the grant that it was made for. */
export interface CredentialRecord {
  readonly hash: string;
  readonly kind: 'operator' | 'connector';
  readonly connector_key: string | null;
  readonly grant_id: string | null;
  readonly created_at: number;
  readonly revoked_at: number | null;
}

/** One effect on the user's repository: `planned` before it, `applied` after it, `reconciled` when the records agree; `abandoned`: it never happened. */
export type GitEffectState = 'planned' | 'applied' | 'reconciled' | 'abandoned';

export interface GitEffectRecord {
  readonly id: number;
  readonly kind: 'move_ref';
  readonly instance_id: string;
  readonly run_id: string;
  readonly step_id: string;
  readonly change_id: string;
  readonly state: GitEffectState;
  readonly ref: string;
  readonly from: string;
  readonly to: string;
  readonly planned_at: number;
  readonly updated_at: number;
}

/**
 * One line of the history. `prev_hash` is the hash of the line before it in its chain: the run's, or the instance's own for lines of
 * no run. `instance_prev_hash` is that of the line before it in the instance, whatever its run: a run cannot vanish.
 */
export interface EventRecord {
  readonly instance_id: string;
  readonly instance_seq: number;
  readonly run_id: string | null;
  readonly run_seq: number | null;
  readonly step_id: string | null;
  readonly type: EventType;
  readonly at: number;
  readonly principal: Principal;
  readonly authority: Authority;
  readonly data: Readonly<Record<string, unknown>>;
  readonly prev_hash: string;
  readonly instance_prev_hash: string;
  /** Over both, and the line. */
  readonly hash: string;
}

/** Who caused a line of history, and how that is known. */
export interface Cause {
  readonly principal: Principal;
  readonly authority: Authority;
  /** Of the grant under which it was asked. */
  readonly grant_digest?: string;
}

/** What the daemon does of itself. */
export const BY_DAEMON: Cause = { principal: { id: 'daemon', name: 'daemon' }, authority: 'local' };
