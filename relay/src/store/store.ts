import { migrate, openDatabase, type Database } from '@fairlead/shared/kit/sqlite';
import { asStorageError } from '@fairlead/shared/kit/atomic-file';
import { auditRows, type AuditRows } from './audit-rows.ts';
import { connectorRows, type ConnectorRows } from './connector-rows.ts';
import { enrollmentRows, type EnrollmentRows } from './enrollment-rows.ts';
import { instanceRows, type InstanceRows } from './instance-rows.ts';
import relay from './migrations/0001-relay.sql';
import retiredKeys from './migrations/0002-retired-keys.sql';
import { plannerTokenRows, type PlannerTokenRows } from './planner-token-rows.ts';

export const MIGRATIONS = [
  { number: 1, name: 'relay', sql: relay },
  { number: 2, name: 'retired-keys', sql: retiredKeys },
] as const;

/** Everything the relay remembers. All of it is synchronous, and durable when a call returns. */
export interface Store {
  readonly tokens: PlannerTokenRows;
  readonly enrollments: EnrollmentRows;
  readonly connectors: ConnectorRows;
  readonly instances: InstanceRows;
  readonly audit: AuditRows;
  /** One transaction over several calls. @throws FairleadError `disk_full`, `store_unwritable`; nothing was written then */
  atomically<T>(work: () => T): T;
  /**
   * The same without waiting for the disk: it survives the end of the process, but perhaps not of the machine. The next durable commit
   * makes it durable too.
   */
  softly<T>(work: () => T): T;
  /** Whether a write would succeed now. It makes one. */
  writable(): boolean;
  close(): void;
}

const settle = <T>(work: () => T): T => {
  try {
    return work();
  } catch (error) {
    throw asStorageError(error);
  }
};

const probe = (db: Database): boolean => {
  // Whoever asks for readiness waits for nobody: a lock that is held counts as an answer.
  db.pragma('busy_timeout = 0');
  try {
    db.pragma(`user_version = ${MIGRATIONS.length}`);
    return true;
  } catch {
    return false;
  } finally {
    db.pragma('busy_timeout = 5000');
  }
};

/** Opens the relay's database and brings its schema up to date. @throws FairleadError `schema_newer`, `disk_full`, `store_unwritable` */
export const openStore = (file: string): Store => {
  const db = openDatabase(file);
  migrate(db, MIGRATIONS);
  const transaction = db.transaction((work: () => unknown) => work());
  return {
    tokens: plannerTokenRows(db),
    enrollments: enrollmentRows(db),
    connectors: connectorRows(db),
    instances: instanceRows(db),
    audit: auditRows(db),
    atomically: <T>(work: () => T) => settle(() => transaction.immediate(work) as T),
    softly<T>(work: () => T): T {
      db.pragma('synchronous = NORMAL');
      try {
        return settle(() => transaction.immediate(work) as T);
      } finally {
        db.pragma('synchronous = FULL');
      }
    },
    writable: () => probe(db),
    close: () => db.close(),
  };
};
