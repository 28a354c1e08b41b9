import { access, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FairleadError } from '@fairlead/shared/contract/errors';
import type { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import type { Confinement } from '@fairlead/shared/contract/states';
import { addPrivateGit, checkOut, listUntracked } from '../git/checkout.ts';
import type { Repository } from '../git/repository.ts';
import { provisionedFile } from '../git/snapshot.ts';
import type { Store } from '../git/store.ts';
import type { ConfinedOrder, Sandbox } from '../process/confined.ts';
import { copyDeclared } from './copies.ts';
import { removeFolder } from './remove-folder.ts';

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
  /** Commit (or tree, without `private_git`) whose files are checked out. */
  readonly commit: string;
  /** Files to check out in place of the commit's, such as what an earlier attempt left. */
  readonly tree?: string;
  /** A throw-away `.git` with `commit` as its only branch, for executors that are agents, made for this confinement. Default: none. */
  readonly private_git?: Confinement;
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
  /** The workspace of that name if it is still there, as after a crash. */
  find(name: string): Promise<Workspace | undefined>;
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

const NAME = /^[a-z0-9_][a-z0-9_.-]{0,199}$/;
/** Where a confined executor sees the store's objects. */
const STORE_OBJECTS = '/store/objects';

const storageError = (cause: unknown): unknown => {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') return new FairleadError('disk_full', { cause });
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return new FairleadError('store_unwritable', { cause });
  return cause;
};

const create = async (place: Workspace, { store, commit, tree, private_git }: WorkspaceOrder): Promise<Workspace> => {
  await mkdir(place.folder, { recursive: true, mode: 0o700 });
  await mkdir(place.out, { mode: 0o700 });
  await checkOut(store, tree ?? commit, place.folder, place.index);
  if (private_git === undefined) return place;
  const host = join(store.folder, 'objects');
  const confined = private_git === 'bubblewrap';
  await addPrivateGit(store, commit, { ...place, objects: confined ? STORE_OBJECTS : host });
  return { ...place, readable: confined ? [{ from: host, to: STORE_OBJECTS }] : [] };
};

const runHook = async (
  workspace: Workspace,
  argv: readonly string[],
  { sandbox, timeout_ms, output, signal }: Provisioning,
): Promise<void> => {
  signal?.throwIfAborted();
  const hook = await sandbox.start({ argv, workspace: workspace.folder, readable: [], env: {}, timeout_ms, output });
  const stop = (): void => void hook.stop();
  signal?.addEventListener('abort', stop, { once: true });
  if (signal?.aborted) stop();
  const end = await hook.ended;
  signal?.removeEventListener('abort', stop);
  if (end.stopped === 'unconfirmed') throw new FairleadError('effect_in_doubt', { detail: 'The post-create hook could not be stopped' });
  signal?.throwIfAborted();
  if (end.exit_code !== 0) {
    const how = end.timed_out ? 'ran into its time limit' : `ended with ${end.exit_code ?? end.signal}`;
    throw new FairleadError('requirement_missing', {
      detail: `The post-create hook ${how}`,
      hint: 'Its output is in the log of the step; correct provision.post_create or what it needs.',
    });
  }
};

const provision = async (workspace: Workspace, store: Store | undefined, provisioning: Provisioning): Promise<void> => {
  const { policy, repository } = provisioning;
  if (policy.network.length > 0) {
    throw new FairleadError('project_policy_invalid', {
      field: 'provision.network',
      rule: 'must be empty in this release: there is no network that reaches only some hosts',
      detail: 'provision.network names hosts, but this release cannot open the network to some hosts only',
      hint: 'Remove provision.network, and copy what the hook would download with provision.copy.',
    });
  }
  if (policy.copy.length > 0 && repository.work_tree === null) {
    throw new FairleadError('project_policy_invalid', {
      field: 'provision.copy',
      rule: 'needs a repository with a work tree',
      detail: 'provision.copy: the repository is bare and has no untracked files',
    });
  }
  for (const path of policy.copy) await copyDeclared(repository.work_tree!, workspace.folder, path);
  if (policy.post_create) await runHook(workspace, policy.post_create, provisioning);
  // What provisioning made is no part of the work, so that a copied secret never ends up in a snapshot.
  if (store && (policy.copy.length > 0 || policy.post_create)) {
    await writeFile(provisionedFile(workspace.index), await listUntracked(store, workspace.folder, workspace.index), { mode: 0o600 });
  }
};

/** @param root folder of all workspaces; made with mode 0700 when missing */
export const createWorkspaces = (root: string): Workspaces => {
  const placeOf = (name: string): Workspace => {
    if (!NAME.test(name)) throw new Error(`not a workspace name: ${name}`);
    const at = join(root, name);
    return { name, folder: join(at, 'files'), out: join(at, 'out'), index: join(at, 'index'), readable: [] };
  };
  const release = (name: string): Promise<void> => removeFolder(join(root, placeOf(name).name));
  // Provisioning looks at the checkout through the store that it came from.
  const stores = new Map<string, Store>();
  return {
    async create(order) {
      try {
        await mkdir(root, { recursive: true, mode: 0o700 });
        await release(order.name);
        stores.set(order.name, order.store);
        return await create(placeOf(order.name), order);
      } catch (cause) {
        await release(order.name).catch(() => undefined);
        throw storageError(cause);
      }
    },
    async find(name) {
      const place = placeOf(name);
      try {
        await Promise.all([access(place.folder), access(place.out), access(place.index)]);
        return place;
      } catch {
        return undefined;
      }
    },
    async provision(workspace, provisioning) {
      try {
        await provision(workspace, stores.get(workspace.name), provisioning);
      } catch (cause) {
        throw storageError(cause);
      }
    },
    async release({ name }) {
      stores.delete(name);
      await release(name);
    },
    async sweep(keep) {
      const names = await readdir(root).catch(() => []);
      const leftover = names.filter((name) => !keep.has(name));
      for (const name of leftover) await removeFolder(join(root, name));
      return leftover;
    },
  };
};
