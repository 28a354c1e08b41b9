import type { EventType } from '@fairlead/shared/contract/resources';
import type { ChangeState, GateState, RunState, StepState } from '@fairlead/shared/contract/states';
import type { AttemptEvent } from '../core/attempt.ts';
import type { ChangeEvent } from '../core/change.ts';
import type { GateEvent } from '../core/gate.ts';
import type {
  ArtifactRecord,
  AttemptRecord,
  Cause,
  ChangeGate,
  ChangeRecord,
  CredentialRecord,
  EventRecord,
  GateRecord,
  GitEffectRecord,
  GrantRecord,
  InstanceRecord,
  PermissionGate,
  RunRecord,
  StepRecord,
  TaskRecord,
  ValidationRecord,
} from '../core/records.ts';
import type { RunEvent } from '../core/run.ts';
import type { StepEvent } from '../core/step.ts';
import type { EffectivePolicy } from '../policy/effective.ts';

/** The position of a page: rows after (or before, where the newest come first) this id. */
interface Page {
  readonly limit: number;
  readonly after?: string | undefined;
}

/** Every read is synchronous, a prepared statement, and sees what is committed (inside a transaction: its own writes too). */
export interface Reads {
  instance(id: string): InstanceRecord | undefined;
  /** Registered instances, oldest first; with `removed`, those that were removed too. */
  instances(options?: { readonly removed?: boolean }): InstanceRecord[];
  instanceByRepository(path: string): InstanceRecord | undefined;
  /** Whether the routing prefix of ids is taken, by an instance that was removed too. */
  prefixTaken(prefix: string): boolean;
  run(id: string): RunRecord | undefined;
  /** Newest first. */
  runs(of: Page & { readonly instance_id: string; readonly state?: RunState | undefined }): RunRecord[];
  /** How many steps of a run are in each state; states without steps are left out. */
  stepCounts(runId: string): Readonly<Partial<Record<StepState, number>>>;
  step(id: string): StepRecord | undefined;
  /** In their order. */
  steps(of: Page & { readonly run_id: string }): StepRecord[];
  /** All steps in one of these states, whatever their run, in queue order. */
  stepsIn(states: readonly StepState[]): StepRecord[];
  /** Ids of the steps that wait for their turn, next first. */
  queued(limit?: number): string[];
  queueLength(): number;
  /** Waiting steps that came through a relay. */
  queuedRemotely(): number;
  /** Waiting steps that a subject (`policy/subject`) submitted. */
  queuedBy(subject: string): number;
  /** Place in the queue, 1 is next; null for a step that does not wait. */
  position(step: Pick<StepRecord, 'state' | 'queue_order'>): number | null;
  task(stepId: string): TaskRecord | undefined;
  attempt(id: string): AttemptRecord | undefined;
  /** Oldest first. */
  attempts(stepId: string): AttemptRecord[];
  activeAttempts(): AttemptRecord[];
  policy(digest: string): EffectivePolicy | undefined;
  change(id: string): ChangeRecord | undefined;
  /** Oldest first. */
  changes(stepId: string): ChangeRecord[];
  changesIn(states: readonly ChangeState[]): ChangeRecord[];
  validation(id: string): ValidationRecord | undefined;
  /** Oldest first; of one attempt or of all. */
  validations(of: { readonly step_id: string; readonly attempt_id?: string | undefined }): ValidationRecord[];
  gate(id: string): GateRecord | undefined;
  /** Newest first. */
  gates(
    of: Page & {
      readonly instance_id: string;
      readonly state?: GateState | undefined;
      readonly run_id?: string | undefined;
      readonly step_id?: string | undefined;
    },
  ): GateRecord[];
  /** Pending gates whose time is over at `now`. */
  expiredGates(now: number): GateRecord[];
  artifact(id: string): ArtifactRecord | undefined;
  /** Oldest first; of one attempt or of all. */
  artifacts(of: { readonly step_id: string; readonly attempt_id?: string | undefined }): ArtifactRecord[];
  artifactBytes(): number;
  grant(id: string): GrantRecord | undefined;
  /** Newest first. */
  grants(instanceId?: string): GrantRecord[];
  /** The newest grant of an instance to a connector, withdrawn or not: a new grant replaces the one before. */
  grantFor(of: { readonly connector_key: string; readonly instance_id: string }): GrantRecord | undefined;
  /** The credential with this hash, unless it was revoked. */
  credential(hash: string): CredentialRecord | undefined;
  gitEffects(of: { readonly state?: GitEffectRecord['state']; readonly change_id?: string }): GitEffectRecord[];
  /** Events after a sequence number, oldest first. */
  events(of: {
    readonly instance_id: string;
    readonly after: number;
    readonly limit: number;
    readonly run_id?: string | undefined;
    readonly step_id?: string | undefined;
  }): EventRecord[];
  /** The newest committed event of an instance: its sequence (0 when there is none) and the instance's chain there. */
  head(instanceId: string): { readonly seq: number; readonly hash: string };
  halted(): boolean;
  /** Bytes that the database takes. */
  size(): number;
}

type Fixed = 'id' | 'state' | 'instance_id' | 'run_id' | 'step_id';
/** The columns that may be set along with an event. The state is never among them: it follows from the event. */
export type StepSet = Partial<Omit<StepRecord, Fixed | 'number' | 'created_at' | 'submitted_by'>>;
export type AttemptSet = Partial<Omit<AttemptRecord, Fixed | 'number'>>;
export type ChangeSet = Partial<Omit<ChangeRecord, Fixed | 'attempt_id'>>;
export type GateSet = Partial<Omit<GateRecord, Fixed | 'kind' | 'attempt_id' | 'change_id' | 'binding' | 'permission' | 'digest'>>;
export type RunSet = Partial<Omit<RunRecord, Fixed>>;

/** Who caused an event, and what else its line of history says. Keep `data` free of host paths and secrets: events travel. */
export interface About extends Cause {
  readonly data?: Readonly<Record<string, unknown>>;
}

/** A new row with the fields that the ledger fills in left out. */
type New<R, K extends keyof R> = Omit<R, K>;

/** What only agents leave in an attempt. */
type OfAgents = 'session' | 'resumed_from' | 'instructions' | 'usage';
export type NewGate<G extends GateRecord> = Omit<G, 'state' | 'opened_at' | 'decided_at' | 'decided_by' | 'authority' | 'comment'>;

/** An idempotency key in its scope. `digest` covers the operation and its input. */
export interface IdempotencyScope {
  readonly instance_id: string;
  /** The stable subject, not the token: `asker.subject`. */
  readonly subject: string;
  readonly key: string;
  readonly operation: string;
  readonly digest: string;
  readonly run_id?: string | null;
}

/** What a unit of work may do. It sees its own writes through `read`. A thrown error undoes this unit and nothing else. */
export interface Tx {
  readonly read: Reads;
  /** The time of this transaction in epoch ms: every line it writes carries it. */
  readonly at: number;
  /** Adds a row and its line of history. */
  readonly add: {
    instance(record: InstanceRecord, about: About): void;
    run(record: New<RunRecord, 'state' | 'steps' | 'created_at' | 'ended_at'>, about: About): RunRecord;
    /** Queues a step at the end of the queue and counts it in its run. */
    step(
      record: Pick<
        StepRecord,
        | 'id'
        | 'run_id'
        | 'instance_id'
        | 'title'
        | 'executor_requested'
        | 'simulated'
        | 'base'
        | 'timeout_ms'
        | 'remote'
        | 'grant_id'
        | 'submitted_by'
        | 'authority'
      > &
        // Subjects; default: who submitted it, at this machine.
        Partial<Pick<StepRecord, 'asked_by'>>,
      task: TaskRecord['spec'],
      about: About,
    ): StepRecord;
    /** Counts it in its step, whose latest it becomes. */
    attempt(
      record: New<AttemptRecord, 'number' | 'state' | 'started_at' | 'ended_at' | OfAgents> & Partial<Pick<AttemptRecord, OfAgents>>,
      about: About,
    ): AttemptRecord;
    /** Becomes its step's change. */
    change(record: New<ChangeRecord, 'state' | 'created_at' | 'integrated'>, about: About): ChangeRecord;
    validation(record: ValidationRecord, about: About): void;
    /** Becomes its step's gate. */
    gate<G extends ChangeGate | PermissionGate>(record: NewGate<G>, about: About): G;
    artifact(record: New<ArtifactRecord, 'created_at'>, about: About): ArtifactRecord;
    grant(record: New<GrantRecord, 'sequence' | 'spent' | 'revoked_at' | 'digest'>, about: About): GrantRecord;
    /** No line of history: credentials belong to no instance. */
    credential(record: CredentialRecord): void;
    /** Keeps an effective policy under its digest; harmless when it is there. No line of history: attempts name the digest. */
    policy(policy: EffectivePolicy): void;
  };
  /**
   * Moves a record by an event: loads the row, asks core, writes the row, appends the line of history.
   * @throws FairleadError `transition_refused` (naming the state), `not_found`
   */
  readonly move: {
    run(id: string, event: RunEvent, set: RunSet, about: About): RunRecord;
    step(id: string, event: StepEvent, set: StepSet, about: About): StepRecord;
    attempt(id: string, event: AttemptEvent, set: AttemptSet, about: About): AttemptRecord;
    change(id: string, event: ChangeEvent, set: ChangeSet, about: About): ChangeRecord;
    gate(id: string, event: GateEvent, set: GateSet, about: About): GateRecord;
  };
  /** Sets columns that are no state and writes no line of history: a pid, what is observed on the way. */
  readonly set: {
    attempt(id: string, set: AttemptSet): void;
    step(id: string, set: StepSet): void;
  };
  /** Records that a stop was asked for (`step.stop_requested`), once; asking again changes nothing. */
  requestStop(stepId: string, why: 'cancel' | 'halt', about: About): StepRecord;
  /** Withdraws the instance, its grants included. */
  removeInstance(id: string, about: About): void;
  /** Withdraws a grant; withdrawing it again changes nothing. */
  revokeGrant(id: string, about: About): GrantRecord;
  /**
   * Counts a step and its time against a grant, in this transaction.
   * @throws FairleadError `grant_expired`, `grant_spent`
   */
  spend(grantId: string, cost: { readonly steps: number; readonly wall_ms: number }): GrantRecord;
  revokeCredential(hash: string): void;
  setHalted(halted: boolean): void;
  /** Appends a line of history that moves no record. */
  note(
    event: { readonly type: EventType; readonly instance_id: string; readonly run_id?: string; readonly step_id?: string } & About,
  ): EventRecord;
  /**
   * Does an effect once: the same key and digest answer the first answer again, without the effect.
   * @throws FairleadError `idempotency_conflict` for the same key with another digest
   */
  idempotent<T>(scope: IdempotencyScope | undefined, effect: () => Sync<T>): T;
  /** The journal of effects on the user's repository; see `git-effects.ts` for the order of things. */
  readonly effects: {
    plan(
      effect: Pick<GitEffectRecord, 'kind' | 'instance_id' | 'run_id' | 'step_id' | 'change_id' | 'ref' | 'from' | 'to'>,
    ): GitEffectRecord;
    /** @throws FairleadError `transition_refused` */
    mark(id: number, state: 'applied' | 'reconciled' | 'abandoned'): void;
  };
}

/** A value that is no promise: a unit of work that awaits would hold the transaction open, so it does not compile. */
export type Sync<T> = T extends PromiseLike<unknown> ? never : T;

/** What `verify` found. `problems` is empty when the history is whole. */
export interface ChainReport {
  readonly events: number;
  readonly runs: number;
  readonly problems: readonly { readonly instance_seq: number | null; readonly run_id: string | null; readonly message: string }[];
}

export interface Ledger {
  /** Eight base-36 characters, drawn when the ledger was made: cursors of another ledger are told from ours by it. */
  readonly epoch: string;
  /** Draws another epoch: cursors that were given until now belong to a history that this ledger does not hold. */
  renewEpoch(): void;
  readonly read: Reads;
  /**
   * Does a unit of work durably. All calls of one event-loop turn share one immediate transaction with a savepoint each; the
   * promise settles, and listeners hear of it, after the commit.
   * @throws what the work throws (its writes undone), or `disk_full`, `store_unwritable` when the commit fails
   */
  record<T>(work: (tx: Tx) => Sync<T>): Promise<T>;
  /** Called after each commit with its events, oldest first. Answers what ends the listening. */
  onCommit(listener: (events: readonly EventRecord[]) => void): () => void;
  /** The first answer to an idempotent request, before anything else is looked at. @throws FairleadError `idempotency_conflict` */
  answered(scope: IdempotencyScope): { readonly answer: unknown } | undefined;
  /** Recomputes an instance's chains from its rows and compares them with the recorded heads. */
  verify(instanceId: string): ChainReport;
  /** Waits for what is under way, then closes. Work given after this is refused with `draining`. */
  close(): Promise<void>;
}
