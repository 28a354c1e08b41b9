import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Database } from '@fairlead/shared/kit/sqlite';
import { GENESIS, type Hash } from './chain.ts';

/** Where a chain stands: how many lines it has, and the position and hash of the last; position 0 and `GENESIS` before the first. */
export interface Head {
  readonly seq: number;
  readonly position: number;
  readonly hash: Hash;
}

/** A chain that memory holds. */
export interface Chain {
  readonly name: string;
  /** Read it, and set it through `Heads.set` alone. */
  head: Head;
}

/**
 * The heads of all chains. They are kept in memory, because every event needs two of them, and written once per commit; undoing
 * a unit of work puts back what it set.
 */
export interface Heads {
  /** A chain by its name; the answer holds until the unit of work ends. */
  chain(name: string): Chain;
  /** Its head, without keeping it in memory. */
  look(name: string): Head;
  set(chain: Chain, head: Head): void;
  /** The position before an instance's first line. @throws FairleadError `not_found` */
  base(instanceId: string): number;
  mark(): number;
  undo(mark: number): void;
  /** Writes what was set since the last commit, within its transaction. */
  write(): void;
  /** A whole batch was undone: the rows are the truth again. */
  forget(): void;
}

/** Chains, and bases, that memory holds; all are forgotten beyond this many. */
const REMEMBERED = 10_000;

/** Positions that an instance has: 2^32 lines for each of 2^21 instances are integers that JavaScript counts exactly. */
export const LINES_PER_INSTANCE = 2 ** 32;

export const createHeads = (db: Database): Heads => {
  const find = db.prepare('select seq, position, lower(hex(hash)) as hash from heads where chain = ?');
  const keep = db.prepare(
    'insert into heads (chain, seq, position, hash) values (?, ?, ?, unhex(?)) on conflict (chain) do update set seq = excluded.seq, position = excluded.position, hash = excluded.hash',
  );
  const numberOf = db.prepare('select number from instances where id = ?').pluck();
  const known = new Map<string, Chain>();
  const bases = new Map<string, number>();
  const changed = new Set<Chain>();
  let log: { readonly chain: Chain; readonly before: Head }[] = [];
  const read = (name: string): Head => (find.get(name) as Head | undefined) ?? { seq: 0, position: 0, hash: GENESIS };
  const restart = (): void => {
    log = [];
    changed.clear();
  };
  const forget = (): void => {
    known.clear();
    bases.clear();
    restart();
  };
  return {
    chain(name) {
      let chain = known.get(name);
      if (!chain) known.set(name, (chain = { name, head: read(name) }));
      return chain;
    },
    look: (name) => known.get(name)?.head ?? read(name),
    set(chain, head) {
      log.push({ chain, before: chain.head });
      chain.head = head;
      changed.add(chain);
    },
    base(instanceId) {
      let base = bases.get(instanceId);
      if (base !== undefined) return base;
      const number = numberOf.get(instanceId) as number | undefined;
      if (number === undefined) throw new FairleadError('not_found', { detail: `There is no instance ${instanceId}` });
      bases.set(instanceId, (base = number * LINES_PER_INSTANCE));
      return base;
    },
    mark: () => log.length,
    undo(mark) {
      for (const { chain, before } of log.splice(mark).toReversed()) chain.head = before;
      // The unit may have added the very instance, and its number is given to the next one then.
      bases.clear();
    },
    write() {
      for (const { name, head } of changed) if (head.seq > 0) keep.run(name, head.seq, head.position, head.hash);
      restart();
      if (known.size > REMEMBERED || bases.size > REMEMBERED) forget();
    },
    forget,
  };
};
