import { runJson } from '@fairlead/e2e/rig/processes';
import { script } from '@fairlead/e2e/rig/programs';
import { rounded, type Figure } from './figures.ts';

const PAIRS = 9;
const AT_LEAST = 2;

/** Lines of history per second, all durable, against bare single-row transactions on the same disk. The daemon's own benchmark. */
export const measureLedger = async (folder: string): Promise<Figure> => {
  const argv = [...script('bench-ledger'), folder, String(PAIRS)];
  const { events_per_second, baseline, ratio } = await runJson<{ events_per_second: number; baseline: number; ratio: number }>({
    name: 'ledger',
    argv,
  });
  return {
    name: 'ledger events with full durability, 8 steps in flight',
    unit: 'per second',
    value: rounded(events_per_second),
    baseline: rounded(baseline),
    ratio: rounded(ratio),
    limit: `>= ${AT_LEAST}`,
    ok: ratio >= AT_LEAST,
    pairs: PAIRS,
  };
};
