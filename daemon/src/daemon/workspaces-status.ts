import type { OutputOf } from '@fairlead/shared/contract/operations/table';
import type { InstanceRecord } from '../core/records.ts';
import type { Grounds } from '../runner/grounds.ts';
import type { Workspaces } from '../workspaces/workspaces.ts';

/** What `status` shows of checkouts, for each instance that is served. */
export const workspacesStatus = (
  instances: readonly Pick<InstanceRecord, 'id' | 'label'>[],
  grounds: Pick<Grounds, 'storeFolder'>,
  workspaces: Pick<Workspaces, 'state'>,
): OutputOf<'daemon_status'>['workspaces'] => {
  const { pool, provisioned } = workspaces.state();
  return {
    folders_per_instance: pool.folders,
    pool_bytes: pool.bytes,
    pool_budget_bytes: pool.disk,
    instances: instances.map(({ id, label }) => {
      const store = grounds.storeFolder(id);
      const shelf = pool.stores.find((one) => one.store === store);
      const last = provisioned.get(store);
      return {
        instance_id: id,
        label,
        ready: shelf?.ready ?? 0,
        bytes: shelf?.bytes ?? 0,
        held_back: shelf?.held_back ?? null,
        provisioned: last ? { ...last, copied: [...last.copied], mounted_read_only: [...last.mounted_read_only] } : null,
      };
    }),
  };
};
