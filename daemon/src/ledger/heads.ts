import type { Database } from '@fairlead/shared/kit/sqlite';
import { GENESIS } from './chain.ts';

/** Where a chain stands: how many lines it has, and the hash of the last. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/**
 * The heads of all chains. They are kept in memory, because every event needs two of them, and written once per commit; undoing
 * a unit of work puts back what it set.
 */
export interface Heads {
  get(chain: string): Head;
  set(chain: string, head: Head): void;
  mark(): number;
  undo(mark: number): void;
  /** Writes what was set since the last commit, within its transaction. */
  write(): void;
  /** A whole batch was undone: the rows are the truth again. */
  forget(): void;
}

/** Heads that memory holds; the oldest are forgotten beyond this many. */
const REMEMBERED = 10_000;

export const createHeads = (db: Database): Heads => {
  const find = db.prepare('select seq, hash from heads where chain = ?');
  const keep = db.prepare(
    'insert into heads (chain, seq, hash) values (?, ?, ?) on conflict (chain) do update set seq = excluded.seq, hash = excluded.hash',
  );
  const known = new Map<string, Head>();
  let log: { readonly chain: string; readonly before: Head }[] = [];
  const get = (chain: string): Head => {
    let head = known.get(chain);
    if (!head) {
      head = (find.get(chain) as Head | undefined) ?? { seq: 0, hash: GENESIS };
      known.set(chain, head);
    }
    return head;
  };
  return {
    get,
    set(chain, head) {
      log.push({ chain, before: get(chain) });
      known.set(chain, head);
    },
    mark: () => log.length,
    undo(mark) {
      for (const { chain, before } of log.splice(mark).toReversed()) known.set(chain, before);
    },
    write() {
      for (const chain of new Set(log.map((set) => set.chain))) {
        const { seq, hash } = get(chain);
        keep.run(chain, seq, hash);
      }
      log = [];
      if (known.size > REMEMBERED) known.clear();
    },
    forget() {
      log = [];
      known.clear();
    },
  };
};
