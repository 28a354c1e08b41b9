import type { OperationName, InputOf, OutputOf } from '@fairlead/shared/contract/operations/table';
import type { Delegation } from '@fairlead/shared/contract/operations/daemon-admin';
import type { ExecutorInfo } from '@fairlead/shared/contract/executors';
import type { Instance } from '@fairlead/shared/contract/resources';
import type { Principal } from '@fairlead/shared/contract/values';
import type { Authority, Confinement } from '@fairlead/shared/contract/states';
import type { Clock } from '@fairlead/shared/kit/clock';
import type * as z from 'zod';
import type { GateRecord, GrantRecord, InstanceRecord } from '../core/records.ts';
import type { ArtifactFiles } from '../ledger/artifact-files.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { OwnerPolicy } from '../policy/effective.ts';

/** Who asks, as the api found out from the credential alone. */
export interface Asker {
  readonly principal: Principal;
  readonly authority: Authority;
  /** True exactly for the connector's credential. */
  readonly remote: boolean;
  /** The instance that is addressed; there for every remote request. Ids of other instances are refused. */
  readonly instance_id?: string;
  /** The grant under which a remote request comes, as it was read for this request. */
  readonly grant?: GrantRecord;
  /** There for every remote write. A local write may go without. */
  readonly idempotency_key?: string;
}

/** One write operation. */
export type Command<N extends OperationName> = (input: InputOf<N>, asker: Asker) => Promise<OutputOf<N>>;

/** What is known of a repository that is to be registered. GROUND's `inspectRepository` is adapted to this. */
export interface InspectedRepository {
  /** Absolute and real. */
  readonly path: string;
  /** Full name of the branch that is checked out, or null when HEAD is detached. */
  readonly head: string | null;
  /** Full names of the branches. */
  readonly branches: readonly string[];
  /** Digest of the origin URL, `sha256:<hex>`, or null when there is none. */
  readonly origin_digest: string | null;
  /** Last part of the path, for a label. */
  readonly name: string;
}

/** What commands need of git. Everything here may take a while, and happens before the transaction. */
export interface RepositoryPort {
  /** @throws FairleadError `repository_invalid`, `repository_empty`, `repository_unsupported` */
  inspect(path: string): Promise<InspectedRepository>;
  /** Makes the instance's store, or finds it. */
  createStore(instance: Pick<InstanceRecord, 'id' | 'repository'>): Promise<void>;
  /** The owner's policy in force: the daemon's config for the instance, or the policy ref's. @throws FairleadError `project_policy_invalid` */
  ownerPolicy(instance: InstanceRecord): Promise<OwnerPolicy>;
  /** The commit that a full branch name points at in the user's repository, or null. */
  tip(instance: InstanceRecord, ref: string): Promise<string | null>;
  /** Whether the commit exists and is reached by one of these branches: `unknown` when there is no such commit. */
  reaches(instance: InstanceRecord, commit: string, refs: readonly string[]): Promise<'reached' | 'not_reached' | 'unknown'>;
  /** Checks that the bytes are one well-formed diff that names no forbidden path. @throws FairleadError `patch_invalid` */
  checkPatch(patch: Uint8Array): Promise<void>;
}

/** What all commands are made with. */
export interface CommandDeps {
  readonly ledger: Ledger;
  readonly artifacts: ArtifactFiles;
  readonly clock: Clock;
  readonly repositories: RepositoryPort;
  /** The executors as `list_executors` shows them for an instance. */
  executors(instance: InstanceRecord): readonly ExecutorInfo[];
  /** What confines work of this instance: undefined where there is no sandbox and the owner did not say unconfined. */
  confinement(instance: Pick<InstanceRecord, 'unconfined'>): Confinement | undefined;
  readonly settings: { readonly allow_local_argv: boolean; readonly machine: string };
  /** A new self-certifying id and the nonce that it is derived from. */
  newInstanceId(): { readonly id: string; readonly nonce: string };
  /** An instance as `get_instance` shows it to this caller. */
  showInstance(id: string, asker: Asker): Promise<Instance>;
  /** Looks whether a gate still holds what would be integrated; the answer is the gate that holds now (`delivery/gates`). */
  readonly renewGate: (gate: GateRecord) => Promise<GateRecord>;
  /** The daemon's proof for a grant, signed with its operational key. */
  delegate(grant: GrantRecord, instance: InstanceRecord): z.output<typeof Delegation>;
}
