import { FairleadError } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { isoTime, type Clock } from '@fairlead/shared/kit/clock';
import { asStorageError } from '@fairlead/shared/kit/atomic-file';
import type { AuditRow } from '../store/audit-rows.ts';
import type { Store } from '../store/store.ts';

type Facts = Partial<Omit<AuditRow, 'at'>> & Pick<AuditRow, 'actor' | 'action' | 'effect' | 'outcome'>;

export interface Audit {
  /** Writes a row; it is on the disk when the promise resolves. Answers the row's id. @throws FairleadError when it cannot be written */
  record(facts: Facts): Promise<number>;
  /** Sets what came of a row that was recorded before its effect. */
  conclude(id: number, facts: Pick<AuditRow, 'action' | 'outcome'> & { readonly detail?: AuditRow['detail'] }): Promise<void>;
  /** Notes a read. It is on the disk within `audit_read_delay`, or the next start records a gap. @throws FairleadError when the store cannot be written */
  read(facts: Facts): void;
  /** How often each action came to what, since this process began. */
  counts(): Iterable<{ readonly action: string; readonly outcome: string; readonly count: number }>;
  /** Writes what is left and says that nothing is missing. */
  close(): void;
}

interface Waiting {
  readonly write: () => number;
  readonly resolve: (id: number) => void;
  readonly reject: (error: Error) => void;
}

/** How many quiet read batches pass before the durable marker is taken away again. */
const QUIET_BATCHES = 20;

const complete = (facts: Facts, at: number): AuditRow => ({
  at,
  instance_id: null,
  resource_id: null,
  request_id: null,
  address: null,
  detail: {},
  ...facts,
});

/**
 * The relay's audit. Rows of one event-loop turn share a transaction. Reads are collected for a moment, and while any may be
 * in memory only, a marker on the disk says so: a start that finds the marker records the gap.
 */
export const openAudit = ({ store, clock }: { readonly store: Store; readonly clock: Clock }): Audit => {
  let waiting: Waiting[] = [];
  let reads: AuditRow[] = [];
  let quiet = 0;
  let marked = false;
  let failed: Error | undefined;
  let cancelTimer: (() => void) | undefined;
  const counted = new Map<string, Map<string, number>>();

  const count = (action: string, outcome: string) => {
    let outcomes = counted.get(action);
    if (!outcomes) counted.set(action, (outcomes = new Map<string, number>()));
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  };

  const since = store.audit.openSince();
  if (since !== undefined) {
    store.atomically(() => {
      const detail = {
        since: isoTime(since),
        reason: 'The relay ended without closing its audit; reads answered in this time may be missing.',
      };
      store.audit.add(complete({ actor: 'relay', action: 'audit_gap', effect: 'gap', outcome: 'unknown', detail }, clock.now()));
      store.audit.closeBatch();
    });
  }

  const commitWaiting = () => {
    const batch = waiting;
    waiting = [];
    if (batch.length === 0) return;
    let ids: number[];
    try {
      ids = store.atomically(() => batch.map(({ write }) => write()));
    } catch (error) {
      const cause = asStorageError(error);
      for (const { reject } of batch) reject(cause);
      return;
    }
    batch.forEach(({ resolve }, index) => resolve(ids[index]!));
  };

  const enqueue = (write: () => number): Promise<number> =>
    new Promise((resolve, reject) => {
      if (waiting.push({ write, resolve, reject }) === 1) setImmediate(commitWaiting);
    });

  const commitReads = () => {
    cancelTimer = undefined;
    const batch = reads;
    quiet = batch.length === 0 ? quiet + 1 : 0;
    const rest = quiet < QUIET_BATCHES;
    const write = () => {
      for (const row of batch) store.audit.add(row);
      if (rest) store.audit.openBatch(clock.now());
      else store.audit.closeBatch();
    };
    try {
      // The marker is on the disk since the first read, so these may follow without waiting for it: should the machine stop before they
      // arrive, the gap is recorded. Taking the marker away makes everything durable that came before.
      if (!rest) store.atomically(write);
      else if (batch.length > 0) store.softly(write);
      reads = [];
      failed = undefined;
      marked = rest;
    } catch (error) {
      failed = asStorageError(error);
    }
    if (marked || failed) cancelTimer = clock.after(LIMITS.audit_read_delay.value, commitReads);
  };

  return {
    record: (facts) => {
      const row = complete(facts, clock.now());
      // A row that is written before its effect is counted once it is known what came of it.
      if (facts.outcome !== 'outcome_unknown') count(facts.action, facts.outcome);
      return enqueue(() => store.audit.add(row));
    },
    conclude: async (id, { action, outcome, detail = {} }) => {
      count(action, outcome);
      await enqueue(() => (store.audit.conclude(id, outcome, detail), id));
    },
    read(facts) {
      if (failed) throw failed instanceof FairleadError ? failed : new FairleadError('store_unwritable', { cause: failed });
      const at = clock.now();
      if (!marked) {
        try {
          store.audit.openBatch(at);
        } catch (error) {
          throw asStorageError(error);
        }
        marked = true;
        quiet = 0;
      }
      reads.push(complete(facts, at));
      count(facts.action, facts.outcome);
      cancelTimer ??= clock.after(LIMITS.audit_read_delay.value, commitReads);
    },
    *counts() {
      for (const [action, outcomes] of counted) for (const [outcome, times] of outcomes) yield { action, outcome, count: times };
    },
    close() {
      cancelTimer?.();
      if (waiting.length > 0) commitWaiting();
      store.atomically(() => {
        for (const row of reads) store.audit.add(row);
        store.audit.closeBatch();
      });
      reads = [];
    },
  };
};
