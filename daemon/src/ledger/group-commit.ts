import { FairleadError } from '@fairlead/shared/contract/errors';
import { type Database } from '@fairlead/shared/kit/sqlite';
import { asStorageError } from '@fairlead/shared/kit/atomic-file';

interface Unit {
  readonly work: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface Hooks {
  /** At the start of a batch, inside its transaction. */
  begin(): void;
  /** Around each unit: `end` keeps what it did, and `undo` takes it back. */
  beginUnit(): void;
  endUnit(): void;
  undoUnit(): void;
  /** All units are done, the commit follows. */
  committing(): void;
  /** The commit is on the disk; promises settle after this. */
  committed(): void;
  /** Promises are settled: listeners may hear of it. */
  publish(): void;
  /** The whole batch was undone. */
  failed(): void;
}

export interface GroupCommit {
  submit<T>(work: () => T): Promise<T>;
  /** Commits what waits, at once. */
  flush(): void;
  /** Refuses further work with `draining`, after what waits is committed. */
  close(): void;
}

/**
 * Group commit: the units of one event-loop turn share one immediate transaction. One sync of the disk
 * serves them all, and a unit that throws is undone alone.
 */
export const createGroupCommit = (db: Database, hooks: Hooks): GroupCommit => {
  const begin = db.prepare('begin immediate');
  const commit = db.prepare('commit');
  const rollback = db.prepare('rollback');
  let waiting: Unit[] = [];
  let scheduled = false;
  let closed = false;

  /** Does one unit, and answers how its promise settles once the batch is committed. Throws only when the batch is lost. */
  const perform = (unit: Unit): (() => void) => {
    hooks.beginUnit();
    try {
      const value = unit.work();
      hooks.endUnit();
      return () => unit.resolve(value);
    } catch (error) {
      // SQLite itself rolls a whole transaction back on a full disk; then nothing of this batch is left to keep.
      if (!db.inTransaction) throw error;
      hooks.undoUnit();
      return () => unit.reject(asStorageError(error));
    }
  };

  const flush = (): void => {
    scheduled = false;
    const units = waiting;
    waiting = [];
    if (units.length === 0) return;
    const settle: (() => void)[] = [];
    try {
      begin.run();
      hooks.begin();
      for (const unit of units) settle.push(perform(unit));
      hooks.committing();
      commit.run();
    } catch (error) {
      if (db.inTransaction) rollback.run();
      hooks.failed();
      const failure = asStorageError(error);
      for (const unit of units) unit.reject(failure);
      return;
    }
    // From here on the work is done, whatever a listener makes of it.
    hooks.committed();
    for (const one of settle) one();
    hooks.publish();
  };

  return {
    submit<T>(work: () => T): Promise<T> {
      if (closed) return Promise.reject(new FairleadError('draining'));
      return new Promise<T>((resolve, reject) => {
        waiting.push({ work, resolve: resolve as (value: unknown) => void, reject });
        if (scheduled) return;
        scheduled = true;
        setImmediate(flush);
      });
    },
    flush,
    close() {
      flush();
      closed = true;
    },
  };
};
