import { existsSync } from 'node:fs';
import { migrate, openDatabase } from '@fairlead/shared/kit/sqlite';
import { randomUnit, type Clock } from '@fairlead/shared/kit/clock';
import type { Database } from '@fairlead/shared/kit/sqlite';
import type { EventRecord } from '../core/records.ts';
import { verifyChains, type Hash } from './chain.ts';
import { LINES_PER_INSTANCE, createHeads } from './heads.ts';
import { createGroupCommit } from './group-commit.ts';
import { createHistory, type History } from './history.ts';
import { journalCommit } from './journal.ts';
import { createLateWrites } from './late-writes.ts';
import type { Ledger } from './ledger.ts';
import { createLines } from './lines.ts';
import spine from './migrations/0001-spine.sql';
import { createReads } from './reads.ts';
import { openTables } from './tables.ts';
import { createTransaction } from './transaction.ts';

const MIGRATIONS = [{ number: 1, name: 'spine', sql: spine }] as const;

/** The epoch that this ledger drew when it was made, or when it was last renewed. */
const epochOf = (db: Database, renew = false): string => {
  const fresh = Array.from({ length: 8 }, () => Math.floor(randomUnit() * 36).toString(36)).join('');
  const there = renew ? 'update set value = excluded.value' : 'nothing';
  db.prepare(`insert into settings (name, value) values ('epoch', ?) on conflict (name) do ${there}`).run(fresh);
  return db.prepare("select value from settings where name = 'epoch'").pluck().get() as string;
};

const verifier = (db: Database, history: History): Ledger['verify'] => {
  const heads = db.prepare(
    `select chain, seq, position % ${LINES_PER_INSTANCE} as line, lower(hex(hash)) as hash from heads
     where chain in (@id, 'own:' || @id) or chain in (select id from runs where instance_id = @id)`,
  );
  const runs = db.prepare('select id from runs where instance_id = ?').pluck();
  return (id) => {
    const recorded = new Map(
      (heads.all({ id }) as { chain: string; seq: number; line: number; hash: Hash }[]).map(({ chain, ...head }) => [chain, head]),
    );
    return verifyChains(id, history.stored(id), recorded, runs.all(id) as string[]);
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
  const late = createLateWrites(db);
  const tables = openTables(late);
  const heads = createHeads(db);
  const history = createHistory(late, heads);
  const read = createReads(late, tables, history);
  const lines = createLines(late);
  const listeners = new Set<(events: readonly EventRecord[]) => void>();
  let now = clock.now();
  let headsBefore = 0;
  let committed: readonly EventRecord[] = [];
  const { tx, idempotency } = createTransaction(late, tables, read, lines, heads, () => now);

  const publish = (): void => {
    const events = committed;
    committed = [];
    if (events.length > 0) for (const listener of listeners) listener(events);
  };
  const group = createGroupCommit(db, {
    begin: () => void (now = clock.now()),
    beginUnit() {
      headsBefore = heads.mark();
      late.begin();
    },
    endUnit: () => late.end(),
    undoUnit() {
      heads.undo(headsBefore);
      late.undo();
    },
    committing() {
      late.flush();
      heads.write();
      journalCommit(lines.events(), 'before');
    },
    committed() {
      committed = lines.events();
      late.committed();
      journalCommit(committed, 'after');
    },
    publish,
    failed: () => {
      late.forget();
      heads.forget();
    },
  });
  let epoch = epochOf(db);
  return {
    get epoch() {
      return epoch;
    },
    renewEpoch: () => void (epoch = epochOf(db, true)),
    read,
    record: (work) => group.submit(() => work(tx)),
    onCommit(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    answered: (scope) => idempotency.answered(scope),
    verify: verifier(db, history),
    close: async () => {
      group.close();
      db.close();
    },
  };
};

/** A ledger that is only looked at, as it was at one moment, while a daemon may go on with it. */
export type LedgerView = Pick<Ledger, 'verify'> & {
  readonly read: Pick<Ledger['read'], 'instances' | 'instance' | 'events' | 'head'>;
  close(): void;
};

/**
 * Opens a ledger to look at it. Nothing is written.
 * @returns undefined where there is none, or one that another version of Fairlead wrote
 */
export const viewLedger = (file: string): LedgerView | undefined => {
  if (!existsSync(file)) return undefined;
  const db = openDatabase(file, { readonly: true });
  if (db.pragma('user_version', { simple: true }) !== MIGRATIONS.length) {
    db.close();
    return undefined;
  }
  // One transaction, so that all reads see the same moment.
  db.exec('begin');
  const late = createLateWrites(db);
  const tables = openTables(late);
  const history = createHistory(late, createHeads(db));
  return { read: createReads(late, tables, history), verify: verifier(db, history), close: () => void db.close() };
};
