import { FairleadError } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';
import type { Delegation } from '@fairlead/shared/contract/operations/daemon-admin';
import type { Operation } from '@fairlead/shared/contract/operations/operation';
import type { ExecutorInfo } from '@fairlead/shared/contract/executors';
import type { Instance, InstanceSummary, PolicyView } from '@fairlead/shared/contract/resources';
import type { Confinement } from '@fairlead/shared/contract/states';
import { isoTime } from '@fairlead/shared/kit/clock';
import type * as z from 'zod';
import type { Asker } from '../commands/command.ts';
import { formatCursor } from '../core/cursor.ts';
import type { GrantRecord, InstanceRecord } from '../core/records.ts';
import { listFiles, readFileAt, searchFiles } from '../git/read.ts';
import type { Store } from '../git/store.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { grantView } from '../ledger/views.ts';
import { policyView, type OwnerPolicy } from '../policy/effective.ts';
import { budgetLeft } from '../policy/grant.ts';
import { defaultProjectPolicy } from '../policy/project-policy.ts';
import type { HandlersOf } from './asked.ts';
import { jsonBytes } from './evidence.ts';
import { found, servedInstance } from './found.ts';

/** What the api needs to know of repositories and of this machine. Everything that runs git is asked through here. */
export interface InstanceParts {
  readonly ledger: Ledger;
  /** The rows that this daemon serves. */
  readonly rows: readonly Operation[];
  readonly machine: string;
  executors(instance: InstanceRecord): readonly ExecutorInfo[];
  /** Undefined where there is no sandbox and the owner did not say unconfined. */
  confinement(instance: Pick<InstanceRecord, 'unconfined'>): Confinement | undefined;
  delegate(grant: GrantRecord, instance: InstanceRecord): z.output<typeof Delegation>;
  readonly repositories: {
    /** @throws FairleadError `project_policy_invalid` */
    ownerPolicy(instance: InstanceRecord): Promise<OwnerPolicy>;
    tip(instance: InstanceRecord, ref: string): Promise<string | null>;
    /** The instance's store, with the tip of its target in it. @throws FairleadError `base_unknown` when there is no such branch */
    atTarget(instance: InstanceRecord): Promise<{ readonly store: Store; readonly commit: string }>;
    store(instance: InstanceRecord): Promise<Store>;
  };
}

const shortBranch = (ref: string): string => ref.replace(/^refs\/heads\//, '');

/** Executors that this caller may name. */
const executorsFor = (parts: InstanceParts, instance: InstanceRecord, { grant }: Asker): ExecutorInfo[] =>
  parts.executors(instance).filter((one) => !grant?.executors || grant.executors.includes(one.id));

const summary = (parts: InstanceParts, instance: InstanceRecord, asker: Asker): InstanceSummary => ({
  id: instance.id,
  label: instance.label,
  machine: parts.machine,
  default_branch: shortBranch(instance.target),
  executors: executorsFor(parts, instance, asker)
    .filter((one) => one.available)
    .map((one) => one.id),
  online: true,
  last_seen_at: null,
  ...(!asker.remote && { path: instance.repository }),
});

/** What this caller may ask of an instance. */
const operationsFor = (rows: readonly Operation[], { remote, grant }: Asker): string[] => {
  if (!remote) return rows.filter((row) => row.surface !== 'connector').map((row) => row.name);
  return rows
    .filter((row) => row.remote && grant?.operations.includes(row.name) && (row.effect !== 'decide' || grant.accept_relay_decisions))
    .map((row) => row.name);
};

/** A policy that cannot be read is shown with what is wrong; paths of the machine stay out of it. */
const brokenPolicy = (instance: InstanceRecord, error: unknown): PolicyView => {
  if (!(error instanceof FairleadError)) throw error;
  const problem = error.code === 'project_policy_invalid' ? error.message : 'The repository cannot be read at present';
  return policyView({ source: 'policy_ref', ref: instance.policy_ref, commit: null, policy: defaultProjectPolicy() }, problem);
};

/** An instance with all that a planner needs to begin. */
export const describeInstance = async (parts: InstanceParts, instance: InstanceRecord, asker: Asker): Promise<Instance> => {
  const { ledger, repositories } = parts;
  const [policy, tip] = await Promise.all([
    repositories.ownerPolicy(instance).then(
      (owner) => policyView(owner),
      (error: unknown) => brokenPolicy(instance, error),
    ),
    repositories.tip(instance, instance.target).catch(() => null),
  ]);
  return {
    id: instance.id,
    label: instance.label,
    machine: parts.machine,
    default_branch: shortBranch(instance.target),
    target: instance.target,
    target_commit: tip,
    listed_branches: [...instance.listed_branches],
    default_executor: instance.default_executor,
    executors: executorsFor(parts, instance, asker),
    policy,
    confinement: parts.confinement(instance) ?? 'not_needed',
    you: {
      principal: asker.principal,
      authority: asker.authority,
      operations: operationsFor(parts.rows, asker),
      grant_expires_at: asker.grant ? isoTime(asker.grant.expires_at) : null,
      budget_left: asker.grant ? budgetLeft(asker.grant) : null,
    },
    halted: ledger.read.halted(),
    cursor: formatCursor({ epoch: ledger.epoch, seq: ledger.read.head(instance.id).seq }),
  };
};

/** The store and commit that a `revision` means. */
const revisionOf = async (
  parts: InstanceParts,
  instance: InstanceRecord,
  revision: string,
): Promise<{ readonly store: Store; readonly commit: string }> => {
  if (revision === 'target') return parts.repositories.atTarget(instance);
  const change = found(parts.ledger.read.change(revision));
  if (change.instance_id !== instance.id) throw new FairleadError('instance_mismatch', { field: 'revision' });
  return { store: await parts.repositories.store(instance), commit: change.snapshot_commit };
};

type Names = 'list_instances' | 'get_instance' | 'list_executors' | 'list_files' | 'read_file' | 'search_files' | 'get_delegation';

/** Reads of instances: what they are, who can work on them, and their tracked files. */
export const instanceReads = (parts: InstanceParts): HandlersOf<Names> => {
  const { read } = parts.ledger;
  return {
    list_instances: (_, { asker }) => {
      const instances = asker.instance_id === undefined ? read.instances() : [servedInstance(read, asker.instance_id)];
      return { items: instances.map((instance) => summary(parts, instance, asker)) };
    },
    get_instance: ({ instance_id }, { asker }) => describeInstance(parts, servedInstance(read, instance_id), asker),
    list_executors: ({ instance_id }, { asker }) => ({ items: executorsFor(parts, servedInstance(read, instance_id), asker) }),
    list_files: async ({ instance_id, revision, path, after }) => {
      const { store, commit } = await revisionOf(parts, servedInstance(read, instance_id), revision);
      const { items, next_after } = await listFiles(store, commit, {
        path,
        ...(after !== undefined && { after }),
        limit: LIMITS.files_listed.value,
      });
      return { commit, items: [...items], next_after };
    },
    read_file: async ({ instance_id, revision, path, offset, length }) => {
      const { store, commit } = await revisionOf(parts, servedInstance(read, instance_id), revision);
      const { size, bytes } = await readFileAt(store, commit, { path, offset, length });
      const part = jsonBytes(bytes, offset + bytes.length >= size);
      const next = offset + part.length;
      return { commit, path, size, encoding: part.encoding, content: part.content, next_offset: next < size ? next : null };
    },
    search_files: async ({ instance_id, revision, text, path, ignore_case }) => {
      const { store, commit } = await revisionOf(parts, servedInstance(read, instance_id), revision);
      const { matches, truncated } = await searchFiles(store, commit, { text, path, ignore_case, limit: LIMITS.search_matches.value });
      return { commit, matches: [...matches], truncated };
    },
    get_delegation: ({ instance_id }, { asker }) => {
      const instance = servedInstance(read, instance_id);
      const grant = found(asker.grant);
      const { label, origin_digest } = instance;
      const { executors, default_branch, machine } = summary(parts, instance, asker);
      return {
        grant: grantView(grant),
        delegation: parts.delegate(grant, instance),
        label,
        machine,
        default_branch,
        executors,
        origin_digest,
      };
    },
  };
};
