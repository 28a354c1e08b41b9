import * as fc from 'fast-check';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { emptyLedger, moves, play } from './history.ts';

/** Plays so many generated histories; a failing one is made as short as it can be, and its seed is printed. Answers what was played. */
export const playHistories = async (count: number, seed: number): Promise<{ histories: number; lines: number; crashes: number }> => {
  // Memory instead of a disk, where the system has such a folder: each commit is synced.
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'fairlead-simulation-'));
  const sum = { histories: 0, lines: 0, crashes: 0 };
  try {
    const empty = join(folder, 'empty.db');
    await emptyLedger(empty);
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
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
