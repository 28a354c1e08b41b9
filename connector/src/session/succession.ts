import { LIMITS } from '@fairlead/shared/contract/limits';
import type { Clock } from '@fairlead/shared/kit/clock';
import type { Ending } from '@fairlead/shared/wire/ending';
import type { JudgedShare } from '../share/judge.ts';
import type { ShareRecord } from '../share/share-file.ts';

/** How often it is looked whether a share was replaced, in milliseconds. */
const LOOK_MS = 20;

/**
 * Whether another share takes the place of one that the daemon does not know any more, or nothing does since it was unshared. When an owner
 * shares anew, the daemon ends the former grant at once, and the new one reaches the connector through its file a moment later: what is asked
 * meanwhile waits for it, instead of being told that nothing is shared. What was waited for in vain is not waited for again.
 */
export const createSuccession = (
  shares: () => ReadonlyMap<string, JudgedShare>,
  clock: Clock,
): ((former: ShareRecord, until: Ending) => Promise<boolean>) => {
  const over = new WeakSet<ShareRecord>();
  return async ({ instance_id: id, connector_token: token }, until) => {
    const end = clock.monotonic() + LIMITS.share_replaced.value;
    for (;;) {
      const record = shares().get(id)?.record;
      if (record?.connector_token !== token) return true;
      if (until.why || over.has(record)) return false;
      if (clock.monotonic() >= end) {
        over.add(record);
        return false;
      }
      await clock.sleep(LOOK_MS);
    }
  };
};
