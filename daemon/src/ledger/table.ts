import type { LateWrites, Writer } from './late-writes.ts';
import { createRowCache, type Held } from './row-cache.ts';

/** How a column is kept: as it is, as JSON text, or as 0 and 1. */
export type Form = 'plain' | 'json' | 'flag';
export type Columns<R> = { readonly [K in keyof R]-?: Form };

/** Statements over one table whose rows are plain records. The only place where column names become SQL. */
export interface RecordTable<R extends object> {
  get(key: string | number): R | undefined;
  insert(record: R): void;
  /** Sets columns of the row with this key, if there is one. */
  update(key: string | number, set: Partial<R>): void;
  /** A prepared select: `where` is SQL with named parameters. */
  select(where: string): (parameters?: object) => R[];
}

const quoted = (name: string) => `"${name}"`;

const encode = (value: unknown, form: Form): unknown => {
  if (form === 'json') return value === null || value === undefined ? null : JSON.stringify(value);
  if (form === 'flag') return value ? 1 : 0;
  return value ?? null;
};

/** A value as it comes back from the disk. */
const asRead = (value: unknown, form: Form): unknown => {
  if (form === 'json') return value === null ? null : JSON.parse(JSON.stringify(value));
  return form === 'flag' ? Boolean(value) : value;
};

/** The expression that puts a record together. */
const recordOf = <R extends object>(columns: Columns<R>): string => {
  const member = ([column, form]: [string, unknown]): string => {
    if (form === 'json') return `'${column}', json(${quoted(column)})`;
    if (form === 'flag') return `'${column}', json(iif(${quoted(column)}, 'true', 'false'))`;
    return `'${column}', ${quoted(column)}`;
  };
  // SQLite puts the whole record together as JSON, and one JSON.parse reads it: measured 2.5 times as fast as 30 columns one by one.
  return `json_object(${Object.entries(columns).map(member).join(', ')})`;
};

/** Describes a table. @param key the name of its key column */
export const recordTable = <R extends object>(
  late: LateWrites,
  name: string,
  key: keyof R & string,
  columns: Columns<R>,
): RecordTable<R> => {
  type Column = keyof R & string;
  const all = Object.keys(columns) as Column[];
  const decode = (text: unknown): R => JSON.parse(text as string) as R;
  // The row itself, however late it is written: this one is asked for rows that memory does not hold.
  const byKey = late.db.prepare(`select ${recordOf(columns)} from ${name} where ${quoted(key)} = ?`).pluck();
  const add = late.writer(`insert into ${name} (${all.map(quoted).join(', ')}) values (${all.map(() => '?').join(', ')})`);
  const updates = new Map<string, Writer>();
  const updateOf = (names: readonly string[]): Writer => {
    const id = names.join();
    let statement = updates.get(id);
    if (!statement) {
      statement = late.writer(`update ${name} set ${names.map((column) => `${quoted(column)} = ?`).join(', ')} where ${quoted(key)} = ?`);
      updates.set(id, statement);
    }
    return statement;
  };
  return {
    get(value) {
      const text = byKey.get(value);
      return text === undefined ? undefined : decode(text);
    },
    insert(record) {
      add.run(all.map((column) => encode(record[column], columns[column])));
    },
    update(value, set) {
      const names = all.filter((column) => set[column] !== undefined);
      if (names.length > 0) updateOf(names).run([...names.map((column) => encode(set[column], columns[column])), value]);
    },
    select(where) {
      const statement = late.reader(`select ${recordOf(columns)} from ${name} ${where}`, 'one');
      return (parameters) => (parameters ? statement.all(parameters) : statement.all()).map(decode);
    },
  };
};

/** The same for a table whose rows are in motion: memory holds them, and they are written once per commit. */
export const movingTable = <R extends object>(late: LateWrites, name: string, key: keyof R & string, columns: Columns<R>): RecordTable<R> => {
  type Column = keyof R & string;
  const table = recordTable(late, name, key, columns);
  const cache = createRowCache<R>(({ key: value, row, changed }) => {
    table.update(value, Object.fromEntries(changed.map((column) => [column, row[column as Column]])) as Partial<R>);
  });
  late.join(cache);
  const held = (value: string | number): Held<R> | undefined => {
    const known = cache.get(value);
    if (known) return known;
    const row = table.get(value);
    return row && cache.hold(value, row);
  };
  return {
    ...table,
    get: (value) => held(value)?.row,
    update(value, set) {
      const found = held(value);
      if (!found) return;
      const row = { ...found.row };
      const names: Column[] = [];
      for (const column of Object.keys(set) as Column[]) {
        if (set[column] === undefined || columns[column] === undefined) continue;
        row[column] = asRead(set[column], columns[column]) as R[Column];
        names.push(column);
      }
      if (names.length > 0) cache.replace(found, row, names);
    },
  };
};
