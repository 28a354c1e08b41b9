import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { Confining } from '../process/detect.ts';
import type { Sandbox } from '../process/confined.ts';
import type { InstanceRecord } from '../core/records.ts';
import { inspectRepository, type Repository } from '../git/repository.ts';
import { createStore, openStore, type Store } from '../git/store.ts';

/** What work on one instance stands on: the user's repository, and the daemon's own store of it. */
export interface Ground {
  readonly repository: Repository;
  readonly store: Store;
}

type Place = Pick<InstanceRecord, 'id' | 'repository'>;

/** The grounds of all instances, opened when first used and kept. */
export interface Grounds {
  /** @throws FairleadError `repository_invalid` and its kin, `store_unwritable`; a failure is not remembered */
  of(instance: Place): Promise<Ground>;
  /** Makes the store of a new instance, or finds it. @param refs full names of the branches that it begins with */
  create(instance: Place, refs: readonly string[]): Promise<Ground>;
  forget(instanceId: string): void;
  /** Where the store of an instance lies, or would. */
  storeFolder(instanceId: string): string;
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** @param folder of all stores; each is `<instance>.git` in it */
export const createGrounds = (folder: string): Grounds => {
  const open = new Map<string, Promise<Ground>>();
  const storeFolder = (id: string): string => join(folder, `${id}.git`);
  const ground = async (instance: Place, refs: readonly string[] | undefined): Promise<Ground> => {
    const { git_dir, common_dir, work_tree, object_format } = await inspectRepository(instance.repository);
    const repository: Repository = { git_dir, common_dir, work_tree, object_format };
    const path = storeFolder(instance.id);
    const store = refs && !(await exists(path)) ? await createStore(path, repository, refs) : await openStore(path);
    return { repository, store };
  };
  const remember = (instance: Place, refs?: readonly string[]): Promise<Ground> => {
    let known = open.get(instance.id);
    if (!known) {
      known = ground(instance, refs);
      open.set(instance.id, known);
      known.catch(() => open.delete(instance.id));
    }
    return known;
  };
  return {
    of: (instance) => remember(instance),
    create: (instance, refs) => remember(instance, refs),
    forget: (instanceId) => void open.delete(instanceId),
    storeFolder,
  };
};

/** What confines the work of an instance: the machine's sandbox, else nothing where the owner said so, else there is none. */
export const sandboxFor = (
  confining: Pick<Confining, 'sandbox' | 'unconfined'>,
  instance: Pick<InstanceRecord, 'unconfined'>,
): Sandbox | undefined => confining.sandbox ?? (instance.unconfined ? confining.unconfined : undefined);

/** The same for one attempt: all that it starts there is found again by the attempt's id. */
export const sandboxOf = (
  confining: Pick<Confining, 'sandbox' | 'unconfined'>,
  instance: Pick<InstanceRecord, 'unconfined'>,
  attemptId: string,
): Sandbox | undefined => {
  const sandbox = sandboxFor(confining, instance);
  return sandbox && { ...sandbox, start: (order) => sandbox.start({ ...order, owner: attemptId }) };
};
