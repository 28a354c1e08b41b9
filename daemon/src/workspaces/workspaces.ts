import { access, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ensurePrivateFolder } from '@fairlead/shared/kit/atomic-file';
import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Confinement } from '@fairlead/shared/contract/states';
import { addPrivateGit, checkOut } from '../git/checkout.ts';
import { moveCheckout } from '../git/move-checkout.ts';
import type { Store } from '../git/store.ts';
import type { ConfinedOrder } from '../process/confined.ts';
import { createPool, partsOf, type PoolOptions, type PoolState } from './pool.ts';
import { describeProvision, provision, type ProvisionedState, type Provisioning } from './provision.ts';
import { removeFolder } from './remove-folder.ts';
import { storageError } from './storage-error.ts';

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
  /** What is to be mounted besides the checkout: what the private `.git` needs, and folders that provisioning mounts in it. */
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

export interface WorkspacesState {
  readonly pool: PoolState;
  /** How checkouts were provisioned last, by the folder of their store. */
  readonly provisioned: ReadonlyMap<string, ProvisionedState>;
}

export interface Workspaces {
  /** @throws FairleadError `disk_full`, `store_unwritable` */
  create(order: WorkspaceOrder): Promise<Workspace>;
  /** The workspace of that name if it is still there, as after a crash. */
  find(name: string): Promise<Workspace | undefined>;
  /**
   * Copies and mounts what the policy declares (never through a link, never over one) and runs the post-create hook, confined. The answer
   * is the workspace with its mounts: whatever runs in it needs those.
   * @throws FairleadError `project_policy_invalid` (what leaves the repository or is too large, network hosts),
   *   `requirement_missing` when the hook fails; its output went to `output`
   */
  provision(workspace: Workspace, provisioning: Provisioning): Promise<Workspace>;
  /** Removes the workspace with all that is in it; nothing of it goes back to the pool. Safe to repeat. */
  release(workspace: Pick<Workspace, 'name'>): Promise<void>;
  /** Removes every workspace whose name is not in `keep`, as after a crash; answers the names removed. */
  sweep(keep: ReadonlySet<string>): Promise<readonly string[]>;
  /** What was made ahead of need, and how checkouts were provisioned. */
  state(): WorkspacesState;
  /** Gives up what was made ahead of need for a store that is served no more, or for all of them. */
  discard(storeFolder?: string): void;
  /** Ends the work in the background, and removes what was made ahead of need. Workspaces stay. */
  close(): Promise<void>;
}

const NAME = /^[a-z0-9_][a-z0-9_.-]{0,199}$/;
/** Where a confined executor sees the store's objects. */
const STORE_OBJECTS = '/store/objects';

/** Adds what an order asks for besides the files. */
const complete = async (place: Workspace, { store, commit, private_git }: WorkspaceOrder, made?: string): Promise<Workspace> => {
  if (private_git === undefined) return place;
  const host = join(store.folder, 'objects');
  const confined = private_git !== undefined && private_git !== 'unconfined';
  await addPrivateGit(store, commit, { ...place, objects: confined ? STORE_OBJECTS : host, ...(made !== undefined && { made }) });
  return { ...place, readable: confined ? [{ from: host, to: STORE_OBJECTS }] : [] };
};

const createCold = async (place: Workspace, order: WorkspaceOrder): Promise<Workspace> => {
  await ensurePrivateFolder(place.folder);
  await mkdir(place.out, { mode: 0o700 });
  await checkOut(order.store, order.tree ?? order.commit, place.folder, place.index);
  return complete(place, order);
};

const isFull = (error: unknown): boolean => error instanceof FairleadError && error.code === 'disk_full';

/**
 * The folders of all attempts and checks.
 * @param root of all workspaces; made with mode 0700 when missing
 * @param pooling checkouts made ahead of need; without it each one is made when it is asked for
 */
export const createWorkspaces = (root: string, pooling?: PoolOptions): Workspaces => {
  const pool = createPool(pooling ?? { root: join(root, '.pool'), folders: 0, disk: 0 });
  const placeOf = (name: string): Workspace => {
    if (!NAME.test(name)) throw new Error(`not a workspace name: ${name}`);
    const { folder, out, index } = partsOf(join(root, name));
    return { name, folder, out, index, readable: [] };
  };
  const release = (name: string): Promise<void> => removeFolder(join(root, placeOf(name).name));
  // Provisioning looks at the checkout through the store that it came from.
  const stores = new Map<string, Store>();
  const provisioned = new Map<string, ProvisionedState>();

  /** A checkout of the pool, moved to what was asked for; undefined when there is none, or none that can be. */
  const createFromPool = async (order: WorkspaceOrder): Promise<Workspace | undefined> => {
    const at = join(root, order.name);
    const holds = await pool.take(order.store, at);
    if (holds === undefined) return undefined;
    const place = placeOf(order.name);
    if (await moveCheckout(order.store, { ...place, holds }, order.tree ?? order.commit)) return complete(place, order, partsOf(at).made);
    await release(order.name);
    return undefined;
  };
  const createOnce = async (order: WorkspaceOrder): Promise<Workspace> => {
    try {
      await mkdir(root, { recursive: true, mode: 0o700 });
      await release(order.name);
      stores.set(order.name, order.store);
      return (await createFromPool(order)) ?? (await createCold(placeOf(order.name), order));
    } catch (cause) {
      await release(order.name).catch(() => undefined);
      throw storageError(cause);
    }
  };
  return {
    async create(order) {
      try {
        return await createOnce(order);
      } catch (error) {
        // What was made ahead of need must not cost an attempt its room.
        if (!isFull(error) || !(await pool.empty())) throw error;
        return await createOnce(order);
      } finally {
        pool.fill(order.store, order.commit);
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
        const store = stores.get(workspace.name);
        const ready = await provision(workspace, store, provisioning, pool.empty);
        if (store) provisioned.set(store.folder, describeProvision(provisioning));
        return ready;
      } catch (cause) {
        throw storageError(cause);
      }
    },
    async release({ name }) {
      stores.delete(name);
      await release(name);
    },
    async sweep(keep) {
      pool.sweep();
      const names = await readdir(root).catch(() => []);
      const leftover = names.filter((name) => !keep.has(name));
      for (const name of leftover) await removeFolder(join(root, name));
      return leftover;
    },
    state: () => ({ pool: pool.state(), provisioned }),
    discard(storeFolder) {
      pool.discard(storeFolder);
      if (storeFolder !== undefined) provisioned.delete(storeFolder);
    },
    close: pool.close,
  };
};
