import { isoTime, type Clock } from '@fairlead/shared/kit/clock';
import type { Log } from '@fairlead/shared/kit/log';
import type { Store } from '../store/store.ts';
import type { Audit } from './audit.ts';

const DAY = 86_400_000;
const HOUR = 3_600_000;
/** So many rows at a time, so that no request waits long for the audit to be cleared. */
const AT_ONCE = 1000;

export interface RetentionParts {
  readonly store: Store;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly log: Log;
  readonly days: number;
}

/**
 * Drops what the audit has kept for long enough, now and every hour. What was dropped is said in the audit itself: a reader can tell a
 * row that went by age from one that never was.
 * @returns ends it
 */
export const keepFor = ({ store, audit, clock, log, days }: RetentionParts): (() => void) => {
  let cancel: () => void;
  let dropped = 0;
  const pass = () => {
    const before = clock.now() - days * DAY;
    let found = 0;
    try {
      found = store.atomically(() => store.audit.dropBefore(before, AT_ONCE));
    } catch (error) {
      log.error({ err: error }, 'old rows of the audit could not be dropped');
    }
    dropped += found;
    cancel = clock.after(found === AT_ONCE ? 0 : HOUR, pass);
    if (found === AT_ONCE || dropped === 0) return;
    const detail = { rows: dropped, before: isoTime(before), days };
    dropped = 0;
    audit.record({ actor: 'relay', action: 'audit_dropped', effect: 'gap', outcome: 'ok', detail }).catch((error: unknown) => {
      log.error({ err: error }, 'it could not be recorded that old rows of the audit were dropped');
    });
  };
  pass();
  return () => cancel();
};
