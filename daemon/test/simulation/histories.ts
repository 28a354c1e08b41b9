import * as fc from 'fast-check';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { emptyLedger, moves, play, type Move } from './history.ts';

/** A folder for ledgers, in memory instead of on a disk where the system has such a folder: each commit is synced. */
const withLedgers = async <T>(work: (folder: string, empty: string) => Promise<T>): Promise<T> => {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'fairlead-simulation-'));
  try {
    const empty = join(folder, 'empty.db');
    await emptyLedger(empty);
    return await work(folder, empty);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** Plays histories that are known. @throws Error that says which promise one of them broke */
export const playKnown = (histories: readonly (readonly Move[])[]): Promise<void> =>
  withLedgers(async (folder, empty) => {
    for (const [at, history] of histories.entries()) await play(join(folder, `${at}.db`), empty, history);
  });

/** Plays so many generated histories; a failing one is made as short as it can be, and its seed is printed. Answers what was played. */
export const playHistories = (count: number, seed: number): Promise<{ histories: number; lines: number; crashes: number }> =>
  withLedgers(async (folder, empty) => {
    const sum = { histories: 0, lines: 0, crashes: 0 };
    await fc.assert(
      fc.asyncProperty(moves, async (history) => {
        const { lines, crashes } = await play(join(folder, `${sum.histories}.db`), empty, history);
        for (const end of ['', '-wal', '-shm']) rmSync(join(folder, `${sum.histories}.db${end}`), { force: true });
        sum.histories += 1;
        sum.lines += lines;
        sum.crashes += crashes;
      }),
      { numRuns: count, seed, endOnFailure: false },
    );
    return sum;
  });
