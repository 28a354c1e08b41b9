import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runJson } from '@fairlead/e2e/rig/processes';
import { script } from '@fairlead/e2e/rig/programs';
import { figureOf, inPairs, type Figure } from './figures.ts';

const ROUNDS = 7;

/** Lines of history per second, all durable, against bare single-row transactions on the same disk. */
export const measureLedger = async (base: string): Promise<Figure> => {
  const measure = async (which: 'ours' | 'raw', count: number): Promise<number> => {
    const folder = mkdtempSync(join(base, 'fairlead-ledger-'));
    try {
      return (
        await runJson<{ per_second: number }>({ name: `ledger ${which}`, argv: [...script('bench-ledger'), which, folder, String(count)] })
      ).per_second;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  const pairs = await inPairs(
    ROUNDS,
    () => measure('ours', 1200),
    () => measure('raw', 6000),
  );
  return figureOf('ledger events with full durability, 8 steps in flight', 'per second', pairs, { atLeast: 2 });
};
