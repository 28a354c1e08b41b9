import type { Database, Statement } from '@fairlead/shared/kit/sqlite';

/** How a column is kept: as it is, as JSON text, or as 0 and 1. */
export type Form = 'plain' | 'json' | 'flag';
export type Columns<R> = { readonly [K in keyof R]-?: Form };

/** Statements over one table whose rows are plain records. The only place where column names become SQL. */
export interface RecordTable<R extends object> {
  get(key: string | number): R | undefined;
  insert(record: R): void;
  /** Sets columns of the row with this key. */
  update(key: string | number, set: Partial<R>): void;
  /** A prepared select: `where` is SQL with named parameters. */
  select(where: string): (parameters?: object) => R[];
  /** Turns a row of a statement over this table into a record. */
  decode(row: unknown): R;
}

const quoted = (name: string) => `"${name}"`;

/** Describes a table. @param key the name of its key column */
export const recordTable = <R extends object>(db: Database, name: string, key: keyof R & string, columns: Columns<R>): RecordTable<R> => {
  const all = Object.keys(columns) as (keyof R & string)[];
  const list = all.map(quoted).join(', ');
  const json = all.filter((column) => columns[column] === 'json');
  const flags = all.filter((column) => columns[column] === 'flag');
  const encode = (value: unknown, form: Form): unknown => {
    if (form === 'json') return value === null || value === undefined ? null : JSON.stringify(value);
    if (form === 'flag') return value ? 1 : 0;
    return value ?? null;
  };
  const decode = (row: unknown): R => {
    // The row is a fresh object of the driver's, so it is changed in place: this is the path of every read.
    const record = row as Record<string, unknown>;
    for (const column of json) {
      const text = record[column];
      if (text !== null) record[column] = JSON.parse(text as string);
    }
    for (const column of flags) record[column] = record[column] === 1;
    return record as R;
  };
  const byKey = db.prepare(`select ${list} from ${name} where ${quoted(key)} = ?`);
  const add = db.prepare(`insert into ${name} (${list}) values (${all.map(() => '?').join(', ')})`);
  const updates = new Map<string, Statement>();
  const updateOf = (names: readonly string[]): Statement => {
    const id = names.join();
    let statement = updates.get(id);
    if (!statement) {
      statement = db.prepare(`update ${name} set ${names.map((column) => `${quoted(column)} = ?`).join(', ')} where ${quoted(key)} = ?`);
      updates.set(id, statement);
    }
    return statement;
  };
  return {
    decode,
    get(value) {
      const row = byKey.get(value);
      return row === undefined ? undefined : decode(row);
    },
    insert(record) {
      add.run(all.map((column) => encode(record[column], columns[column])));
    },
    update(value, set) {
      const names = all.filter((column) => set[column] !== undefined);
      if (names.length === 0) return;
      updateOf(names).run([...names.map((column) => encode(set[column], columns[column])), value]);
    },
    select(where) {
      const statement = db.prepare(`select ${list} from ${name} ${where}`);
      return (parameters) => (parameters ? statement.all(parameters) : statement.all()).map(decode);
    },
  };
};
