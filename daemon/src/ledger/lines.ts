import type { EventRecord } from '../core/records.ts';
import type { Hash } from './chain.ts';
import type { Late, LateWrites } from './late-writes.ts';

/** A line of history as it goes into its row. */
export interface NewLine {
  readonly event: EventRecord;
  readonly position: number;
  /** Principal and data as the text that was hashed. */
  readonly principal: string;
  readonly data: string;
  /** How many positions before it the previous line of its chain is; null for the first. */
  readonly back: number | null;
  readonly hash: Hash;
}

/** The lines of history of the batch that is under way, oldest first. */
export interface Lines extends Late {
  add(line: NewLine): void;
  /** What was added since the last commit. */
  events(): readonly EventRecord[];
}

/** Lines that one statement writes, where there are as many: a call of SQLite costs about a third of what a row does. */
const TOGETHER = 8;

/** The values of a line, in the order of its columns. */
const pushValues = (values: unknown[], { event, position, principal, data, back, hash }: NewLine): void => {
  const { run_id, run_seq, step_id, type, at, authority } = event;
  values.push(position, run_id, run_seq, step_id, type, at, principal, authority, data, back, hash);
};

/** Keeps new lines until the commit, which writes them. */
export const createLines = (late: LateWrites): Lines => {
  const insert = (rows: number) =>
    late.db.prepare(
      `insert into events (position, run_id, run_seq, step_id, type, at, principal, authority, data, back, hash) values ${Array.from({ length: rows }, () => '(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, unhex(?))').join(', ')}`,
    );
  const insertOne = insert(1);
  const insertMany = insert(TOGETHER);
  let added: NewLine[] = [];
  // How many of them have their row, and how many had it when the savepoint was opened.
  let stored = 0;
  let storedAtPoint = 0;
  const restart = (): void => {
    added = [];
    stored = 0;
  };
  const lines: Lines = {
    events: () => added.map(({ event }) => event),
    add: (line) => void added.push(line),
    waiting: () => stored < added.length,
    write() {
      while (stored < added.length) {
        const count = added.length - stored >= TOGETHER ? TOGETHER : 1;
        const values: unknown[] = [];
        for (const end = stored + count; stored < end; stored++) pushValues(values, added[stored]!);
        (count === 1 ? insertOne : insertMany).run(values);
      }
    },
    mark: () => added.length,
    undo: (mark) => void (added.length = mark),
    point: () => void (storedAtPoint = stored),
    rewind: () => void (stored = storedAtPoint),
    committed: restart,
    forget: restart,
  };
  late.join(lines);
  return lines;
};
