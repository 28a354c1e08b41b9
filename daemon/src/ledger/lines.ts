import type { EventRecord } from '../core/records.ts';
import type { Texts } from './chain.ts';
import type { Late, LateWrites } from './late-writes.ts';

/** The lines of history of the batch that is under way, oldest first. */
export interface Lines extends Late {
  add(event: EventRecord, texts: Texts): void;
  /** What was added since the last commit. */
  readonly events: readonly EventRecord[];
}

/** Keeps new lines until the commit, which writes them one after the other. */
export const createLines = (late: LateWrites): Lines => {
  const insert = late.db.prepare(
    `insert into events (instance_id, instance_seq, run_id, run_seq, step_id, type, at, principal, authority, data, prev_hash, hash, instance_hash)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
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
      for (; stored < events.length; stored++) {
        const event = events[stored]!;
        const { principal, data } = texts[stored]!;
        insert.run(
          event.instance_id,
          event.instance_seq,
          event.run_id,
          event.run_seq,
          event.step_id,
          event.type,
          event.at,
          principal,
          event.authority,
          data,
          event.prev_hash,
          event.hash,
          event.instance_hash,
        );
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
