import { migrate, openDatabase } from '@fairlead/shared/kit/sqlite';
import { randomUnit, type Clock } from '@fairlead/shared/kit/clock';
import type { Database } from '@fairlead/shared/kit/sqlite';
import type { EventRecord } from '../core/records.ts';
import { verifyChains, type StoredLine } from './chain.ts';
import { createHeads } from './heads.ts';
import { createGroupCommit } from './group-commit.ts';
import { journalCommit } from './journal.ts';
import type { Ledger } from './ledger.ts';
import spine from './migrations/0001-spine.sql';
import { createReads } from './reads.ts';
import { openTables } from './tables.ts';
import { createTransaction } from './transaction.ts';

const MIGRATIONS = [{ number: 1, name: 'spine', sql: spine }] as const;

/** The epoch that this ledger drew when it was made. */
const epochOf = (db: Database): string => {
  const fresh = Array.from({ length: 8 }, () => Math.floor(randomUnit() * 36).toString(36)).join('');
  db.prepare("insert into settings (name, value) values ('epoch', ?) on conflict (name) do nothing").run(fresh);
  return db.prepare("select value from settings where name = 'epoch'").pluck().get() as string;
};

const verifier = (db: Database): Ledger['verify'] => {
  const lines = db.prepare('select * from events where instance_id = ? order by instance_seq');
  const heads = db.prepare(
    "select chain, seq, hash from heads where chain in ('i:' || @id, 'o:' || @id) or chain in (select 'r:' || id from runs where instance_id = @id)",
  );
  const runs = db.prepare('select id from runs where instance_id = ?').pluck();
  return (id) => {
    const recorded = new Map(
      (heads.all({ id }) as { chain: string; seq: number; hash: string }[]).map(({ chain, seq, hash }) => [chain, { seq, hash }]),
    );
    return verifyChains(id, lines.iterate(id) as Iterable<StoredLine>, recorded, runs.all(id) as string[]);
  };
};

/**
 * Opens the ledger, and makes it where there is none.
 * @throws FairleadError `schema_newer`, `disk_full`, `store_unwritable`
 */
export const openLedger = ({ file, clock }: { readonly file: string; readonly clock: Clock }): Ledger => {
  const db = openDatabase(file);
  migrate(db, MIGRATIONS);
  // Larger than the defaults (1,000 pages, 2 MB): a checkpoint costs two syncs, and a long history should not be read from disk.
  db.pragma('wal_autocheckpoint = 4000');
  db.pragma('cache_size = -16000');
  const tables = openTables(db);
  const read = createReads(db, tables);
  const listeners = new Set<(events: readonly EventRecord[]) => void>();
  let now = clock.now();
  let written: EventRecord[] = [];
  const heads = createHeads(db);
  const { tx, idempotency } = createTransaction(
    db,
    tables,
    read,
    heads,
    () => now,
    (event) => void written.push(event),
  );

  const publish = (): void => {
    const events = written;
    written = [];
    if (events.length > 0) for (const listener of listeners) listener(events);
  };
  const group = createGroupCommit(db, {
    begin: () => void (now = clock.now()),
    mark: () => ({ events: written.length, heads: heads.mark() }),
    undo: (mark) => {
      written.length = mark.events;
      heads.undo(mark.heads);
    },
    committing: () => {
      heads.write();
      journalCommit(written, 'before');
    },
    committed: () => journalCommit(written, 'after'),
    publish,
    failed: () => {
      written = [];
      heads.forget();
    },
  });
  return {
    epoch: epochOf(db),
    read,
    record: (work) => group.submit(() => work(tx)),
    onCommit(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    answered: (scope) => idempotency.answered(scope),
    verify: verifier(db),
    close: async () => {
      group.close();
      db.close();
    },
  };
};
