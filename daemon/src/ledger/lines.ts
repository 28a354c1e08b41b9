import type { EventRecord } from '../core/records.ts';
import type { Texts } from './chain.ts';
import type { Late, LateWrites } from './late-writes.ts';

/** The lines of history of the batch that is under way, oldest first. */
export interface Lines extends Late {
  add(event: EventRecord, texts: Texts): void;
  /** What was added since the last commit. */
  readonly events: readonly EventRecord[];
}

const COLUMNS = [
  'instance_id',
  'instance_seq',
  'run_id',
  'run_seq',
  'step_id',
  'type',
  'at',
  'principal',
  'authority',
  'data',
  'prev_hash',
  'hash',
  'instance_hash',
] as const satisfies readonly (keyof EventRecord)[];

/** Lines that one statement writes, where there are as many: a call of SQLite costs about a third of what a row does. */
const TOGETHER = 8;

/** The values of a line, in the order of `COLUMNS`. */
const pushValues = (values: unknown[], event: EventRecord, { principal, data }: Texts): void => {
  const { instance_id, instance_seq, run_id, run_seq, step_id, type, at, authority, prev_hash, hash, instance_hash } = event;
  values.push(instance_id, instance_seq, run_id, run_seq, step_id, type, at, principal, authority, data, prev_hash, hash, instance_hash);
};

/** Keeps new lines until the commit, which writes them. */
export const createLines = (late: LateWrites): Lines => {
  const row = `(${COLUMNS.map(() => '?').join(', ')})`;
  const insert = (rows: number) =>
    late.db.prepare(`insert into events (${COLUMNS.join(', ')}) values ${Array.from({ length: rows }, () => row).join(', ')}`);
  const insertOne = insert(1);
  const insertMany = insert(TOGETHER);
  let events: EventRecord[] = [];
  let texts: Texts[] = [];
  // How many of them have their row, and how many had it when the savepoint was opened.
  let stored = 0;
  let storedAtPoint = 0;
  const restart = (): void => {
    events = [];
    texts = [];
    stored = 0;
  };
  const lines: Lines = {
    get events() {
      return events;
    },
    add(event, its) {
      events.push(event);
      texts.push(its);
    },
    waiting: () => stored < events.length,
    write() {
      while (stored < events.length) {
        const count = events.length - stored >= TOGETHER ? TOGETHER : 1;
        const values: unknown[] = [];
        for (const end = stored + count; stored < end; stored++) pushValues(values, events[stored]!, texts[stored]!);
        (count === 1 ? insertOne : insertMany).run(values);
      }
    },
    mark: () => events.length,
    undo(mark) {
      events.length = mark;
      texts.length = mark;
    },
    point: () => void (storedAtPoint = stored),
    rewind: () => void (stored = storedAtPoint),
    committed: restart,
    forget: restart,
  };
  late.join(lines);
  return lines;
};
