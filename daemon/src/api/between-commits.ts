import type { Ledger } from '../ledger/ledger.ts';

/** Answers that hold until something is committed. */
export interface Memory<R> {
  /** The remembered answer, or a fresh one. What is not found is looked for again every time. */
  get(key: string, look: () => R | undefined): R | undefined;
}

/** More are forgotten all at once: those that are asked for again come back with the next request. */
const MOST = 1000;

/**
 * Remembers answers between commits, so that what is asked often costs no look into the database. A commit of the ledger that changes a
 * record carries an event, and everything is forgotten in the turn in which it is told, before anyone acts on it.
 */
export const rememberBetweenCommits = <R>({ onCommit }: Pick<Ledger, 'onCommit'>): Memory<R> => {
  const memory = new Map<string, R>();
  onCommit(() => memory.clear());
  return {
    get(key, look) {
      const known = memory.get(key);
      if (known !== undefined) return known;
      const found = look();
      if (found === undefined) return undefined;
      if (memory.size >= MOST) memory.clear();
      memory.set(key, found);
      return found;
    },
  };
};
