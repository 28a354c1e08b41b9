import { FairleadError } from '@fairlead/shared/contract/errors';
import type { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import type { Repository } from '../git/repository.ts';
import type { Store } from '../git/store.ts';
import type { ConfinedOrder, Sandbox } from '../process/confined.ts';

/** A plain folder with the files of one tree; never a part of the user's repository. */
export interface Workspace {
  /** As the caller named it; one folder below the root of all workspaces. */
  readonly name: string;
  /** The checkout. */
  readonly folder: string;
  /** `$FAIRLEAD_OUT`: files put here become artifacts. */
  readonly out: string;
  /** The daemon's own index of the checkout, outside it. */
  readonly index: string;
  /** What the private `.git` needs to be mounted besides the checkout; empty when there is none. */
  readonly readable: ConfinedOrder['readable'];
}

export interface WorkspaceOrder {
  /** One path segment: an attempt id, or an attempt id with a suffix for a check. A leftover of the same name is removed first. */
  readonly name: string;
  readonly store: Store;
  /** Commit whose files are checked out. */
  readonly commit: string;
  /** A throw-away `.git` with `commit` as its only branch, for executors that are agents. Default: none. */
  readonly private_git?: boolean;
}

/** Bringing a fresh checkout to life, as the project policy says. */
export interface Provisioning {
  readonly policy: ProjectPolicy['provision'];
  /** Where declared copies come from. */
  readonly repository: Repository;
  readonly sandbox: Sandbox;
  readonly timeout_ms: number;
  readonly output: ConfinedOrder['output'];
  readonly signal?: AbortSignal;
}

export interface Workspaces {
  /** @throws FairleadError `disk_full`, `store_unwritable` */
  create(order: WorkspaceOrder): Promise<Workspace>;
  /**
   * Copies what the policy declares (never through a link, never over one) and runs the post-create hook, confined.
   * @throws FairleadError `project_policy_invalid` (a copy that leaves the repository, network hosts),
   *   `requirement_missing` when the hook fails; its output went to `output`
   */
  provision(workspace: Workspace, provisioning: Provisioning): Promise<void>;
  /** Removes the workspace with all that is in it. Safe to repeat. */
  release(workspace: Pick<Workspace, 'name'>): Promise<void>;
  /** Removes every workspace whose name is not in `keep`, as after a crash; answers the names removed. */
  sweep(keep: ReadonlySet<string>): Promise<readonly string[]>;
}

/** @param root folder of all workspaces; made with mode 0700 when missing */
export const createWorkspaces = (root: string): Workspaces => {
  throw new FairleadError('internal', { detail: `not yet: ${root}` });
};
