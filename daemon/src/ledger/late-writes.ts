import type { Database } from '@fairlead/shared/kit/sqlite';

/** Something that units of work change in memory, and that is written later: once per commit, or when a statement must see it. */
export interface Late {
  /** Whether something waits to be written. */
  waiting(): boolean;
  write(): void;
  /** How much was changed so far; `undo` goes back to such a mark. */
  mark(): number;
  undo(mark: number): void;
  /** A savepoint was opened; `rewind` says that it was undone, and with it everything that was written since. */
  point(): void;
  rewind(): void;
  /** The commit is on the disk. */
  committed(): void;
  /** The whole batch was undone: the rows are the truth again. */
  forget(): void;
}

export interface Reader {
  get(...parameters: unknown[]): unknown;
  all(...parameters: unknown[]): unknown[];
}

export interface Writer {
  run(...parameters: unknown[]): void;
}

/** The connection as units of work use it, one after the other. */
export interface LateWrites {
  readonly db: Database;
  /** A statement that reads, after everything that waits is written. @param columns `one` plucks the first column */
  reader(sql: string, columns?: 'one' | 'all'): Reader;
  /** A statement that writes within the savepoint of the unit that is under way. */
  writer(sql: string): Writer;
  join(late: Late): void;
  /** Around each unit: `end` keeps what it did, `undo` takes it back. */
  begin(): void;
  end(): void;
  undo(): void;
  /** Before the commit. */
  flush(): void;
  committed(): void;
  forget(): void;
}

/**
 * Most units move a row that memory holds and append a line of history. Such a unit asks nothing of SQLite until the commit, and
 * is undone in memory, so that it needs no savepoint; the first statement that does ask something opens one.
 */
export const createLateWrites = (db: Database): LateWrites => {
  const savepoint = db.prepare('savepoint unit');
  const release = db.prepare('release unit');
  const rollback = db.prepare('rollback to unit');
  const parts: Late[] = [];
  let marks: number[] = [];
  let unit = false;
  let saved = false;

  const protect = (): void => {
    if (!unit || saved) return;
    savepoint.run();
    saved = true;
    for (const part of parts) part.point();
  };
  const flush = (): void => {
    for (const part of parts) {
      if (!part.waiting()) continue;
      protect();
      part.write();
    }
  };
  return {
    db,
    reader(sql, columns = 'all') {
      const statement = db.prepare(sql);
      if (columns === 'one') statement.pluck();
      return {
        get(...parameters) {
          flush();
          return statement.get(...parameters);
        },
        all(...parameters) {
          flush();
          return statement.all(...parameters);
        },
      };
    },
    writer(sql) {
      const statement = db.prepare(sql);
      return {
        run(...parameters) {
          protect();
          statement.run(...parameters);
        },
      };
    },
    join: (late) => void parts.push(late),
    begin() {
      unit = true;
      marks = parts.map((part) => part.mark());
    },
    end() {
      if (saved) release.run();
      unit = saved = false;
    },
    undo() {
      if (saved) {
        rollback.run();
        release.run();
        for (const part of parts) part.rewind();
      }
      parts.forEach((part, index) => part.undo(marks[index]!));
      unit = saved = false;
    },
    flush,
    committed: () => parts.forEach((part) => part.committed()),
    forget() {
      unit = saved = false;
      parts.forEach((part) => part.forget());
    },
  };
};
