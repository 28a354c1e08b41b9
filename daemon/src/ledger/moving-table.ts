import type { LateWrites } from './late-writes.ts';
import { createRowCache, type Held } from './row-cache.ts';
import { encode, recordTable, statementsBy, updateSql, type Columns, type Form, type RecordTable } from './table.ts';

/** A table whose rows are in motion: memory holds them, and they are written once per commit. */
export interface MovingTable<R extends object> extends RecordTable<R> {
  /** Sets columns of a row that `get` answered. Answers the row that follows. */
  change(row: R, set: Partial<R>): R;
}

/** A value as it would come back from the disk, sharing nothing with what was given. */
const asRead = (value: unknown, form: Form): unknown => {
  if (form === 'json') return value === null ? null : JSON.parse(JSON.stringify(value));
  return form === 'flag' ? Boolean(value) : value;
};

/** Describes such a table. @param key the name of its key column */
export const movingTable = <R extends object>(
  late: LateWrites,
  name: string,
  key: keyof R & string,
  columns: Columns<R>,
): MovingTable<R> => {
  type Column = keyof R & string;
  const table = recordTable(late, name, key, columns);
  const updateOf = statementsBy((names) => late.db.prepare(updateSql(name, key, names)));
  const cache = createRowCache<R>(({ key: value, row, changed }) => {
    const values = changed.map((column) => encode(row[column as Column], columns[column as Column]));
    values.push(value);
    updateOf(changed).run(values);
  });
  late.join(cache);
  const find = (value: string | number): Held<R> | undefined => {
    const known = cache.get(value);
    if (known) return known;
    const row = table.get(value);
    return row && cache.hold(value, row);
  };
  const replace = (held: Held<R>, set: Partial<R>): R => {
    // Copied and then set: a literal that spreads both costs twenty times as much with this many columns.
    const row = { ...held.row };
    const names: Column[] = [];
    for (const column of Object.keys(set) as Column[]) {
      const value = set[column];
      if (value === undefined || !Object.hasOwn(columns, column)) continue;
      row[column] = asRead(value, columns[column]) as R[Column];
      names.push(column);
    }
    if (names.length > 0) cache.replace(held, row, names);
    return row;
  };
  return {
    ...table,
    get: (value) => find(value)?.row,
    update(value, set) {
      const held = find(value);
      if (held) replace(held, set);
    },
    change(row, set) {
      const held = find(row[key] as string | number);
      return held ? replace(held, set) : row;
    },
  };
};
