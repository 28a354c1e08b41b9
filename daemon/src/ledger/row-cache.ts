import type { Late } from './late-writes.ts';

/** A row as it stands, and the names of its columns that the disk does not have yet. */
export interface Held<R> {
  readonly key: string | number;
  row: R;
  changed: readonly string[];
}

/** The rows of one table that memory holds. */
export interface RowCache<R> extends Late {
  get(key: string | number): Held<R> | undefined;
  /** Holds a row that was read. */
  hold(key: string | number, row: R): Held<R>;
  /** Replaces a row; `names` are the columns in which it differs. */
  replace(held: Held<R>, row: R, names: readonly string[]): void;
}

/** Rows that memory holds of a table; all are forgotten beyond this many. Those that are in motion come back at once. */
const REMEMBERED = 1_000;

/** Both in their order, none twice. */
const union = (a: readonly string[], b: readonly string[]): readonly string[] =>
  a.length === 0 ? b : [...a, ...b.filter((name) => !a.includes(name))];

/**
 * Rows in motion: a step is moved many times in a short while, and several times in one commit. They are read once, changed in
 * memory, and written once per commit. A row is never changed in place, so that undoing puts the row before back.
 * @param write writes the changed columns of a row
 */
export const createRowCache = <R>(write: (held: Held<R>) => void): RowCache<R> => {
  const rows = new Map<string | number, Held<R>>();
  const dirty = new Set<Held<R>>();
  // Everything that was changed since the last commit; a row that was first read then has nothing before it.
  let log: { readonly held: Held<R>; readonly before: R | undefined }[] = [];
  let sincePoint: Held<R>[] = [];
  let inBatch = false;
  return {
    get: (key) => rows.get(key),
    hold(key, row) {
      if (rows.size >= REMEMBERED && !inBatch) rows.clear();
      const held: Held<R> = { key, row, changed: [] };
      rows.set(key, held);
      if (inBatch) log.push({ held, before: undefined });
      return held;
    },
    replace(held, row, names) {
      log.push({ held, before: held.row });
      held.row = row;
      held.changed = union(held.changed, names);
      dirty.add(held);
    },
    waiting: () => dirty.size > 0,
    write() {
      for (const held of dirty) {
        write(held);
        sincePoint.push(held);
      }
      dirty.clear();
    },
    mark() {
      inBatch = true;
      return log.length;
    },
    undo(mark) {
      // A row that this unit read may be one that it added itself, so it is forgotten; what it changed is what it was.
      for (const { held, before } of log.splice(mark).toReversed()) {
        if (before !== undefined) held.row = before;
        else {
          rows.delete(held.key);
          dirty.delete(held);
        }
      }
    },
    point: () => void (sincePoint = []),
    rewind() {
      for (const held of sincePoint) dirty.add(held);
      sincePoint = [];
    },
    committed() {
      for (const { held } of log) held.changed = [];
      log = [];
      sincePoint = [];
      inBatch = false;
    },
    forget() {
      rows.clear();
      dirty.clear();
      log = [];
      sincePoint = [];
      inBatch = false;
    },
  };
};
