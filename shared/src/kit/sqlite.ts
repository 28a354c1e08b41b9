import { chmodSync, closeSync, openSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import { FairleadError } from '../contract/errors.ts';
import { asStorageError } from './atomic-file.ts';

export type Database = Sqlite.Database;
export type Statement = Sqlite.Statement;

export interface Migration {
  /** 1 for the first; numbers follow each other without a hole. */
  readonly number: number;
  readonly name: string;
  readonly sql: string;
}

/**
 * Opens a database with the durability that the promises need: WAL, every commit on the disk, foreign keys on. The file is
 * made readable by its owner alone.
 * @throws FairleadError `disk_full`, `store_unwritable`
 */
export const openDatabase = (file: string, { readonly = false }: { readonly readonly?: boolean } = {}): Database => {
  try {
    if (file !== ':memory:' && !readonly) {
      closeSync(openSync(file, 'a', 0o600));
      chmodSync(file, 0o600);
    }
    const db = new Sqlite(file, { readonly, fileMustExist: readonly });
    if (!readonly) {
      db.pragma('journal_mode = WAL');
      db.pragma('synchronous = FULL');
    }
    db.pragma('foreign_keys = ON');
    db.pragma('busy_timeout = 5000');
    return db;
  } catch (error) {
    throw asStorageError(error);
  }
};

const versionOf = (db: Database): number => db.pragma('user_version', { simple: true }) as number;

/**
 * Brings a database up to the newest migration, one transaction each.
 * @throws FairleadError `schema_newer` when a newer Fairlead wrote it; it is not touched then
 */
export const migrate = (db: Database, migrations: readonly Migration[]): void => {
  migrations.forEach(({ number, name }, index) => {
    if (number !== index + 1) throw new TypeError(`migration ${name} has number ${number}, expected ${index + 1}`);
  });
  const found = versionOf(db);
  if (found > migrations.length) {
    throw new FairleadError('schema_newer', {
      detail: `The database has schema ${found}; this Fairlead knows up to ${migrations.length}.`,
    });
  }
  const apply = db.transaction((migration: Migration) => {
    // Another process may have migrated while this one waited for the lock.
    if (versionOf(db) >= migration.number) return;
    db.exec(migration.sql);
    db.pragma(`user_version = ${migration.number}`);
  });
  try {
    for (const migration of migrations.slice(found)) apply.immediate(migration);
  } catch (error) {
    throw asStorageError(error);
  }
};

/**
 * Takes the lock of a home, which dies with the process however it ends: an exclusive transaction on a database of its own.
 * @param file path of the lock; made when it is not there
 * @returns what gives the lock back
 * @throws FairleadError `already_running` when another process holds it
 */
export const lockHome = (file: string): (() => void) => {
  try {
    closeSync(openSync(file, 'a', 0o600));
    const db = new Sqlite(file, { timeout: 0 });
    try {
      db.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      db.close();
      throw error;
    }
    return () => void db.close();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'SQLITE_BUSY')
      throw new FairleadError('already_running', { cause: error });
    throw asStorageError(error);
  }
};
