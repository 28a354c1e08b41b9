import { median } from './load.ts';

/** One row of the table. `ratio` is ours over the baseline, the median of pairs that were measured one right after the other. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  readonly baseline: number;
  readonly ratio: number;
  /** null: only reported. */
  readonly limit: string | null;
  readonly ok: boolean;
  readonly pairs: number;
}

export interface Pair {
  readonly ours: number;
  readonly baseline: number;
}

/** What a ratio must reach: at least so much, or at most. */
export type Limit = { readonly atLeast: number } | { readonly atMost: number } | undefined;

export const rounded = (value: number): number => Number(value.toPrecision(4));

export const figureOf = (name: string, unit: string, pairs: readonly Pair[], limit: Limit): Figure => {
  const ratio = median(pairs.map(({ ours, baseline }) => ours / baseline));
  const ok = limit === undefined || ('atLeast' in limit ? ratio >= limit.atLeast : ratio <= limit.atMost);
  return {
    name,
    unit,
    value: rounded(median(pairs.map(({ ours }) => ours))),
    baseline: rounded(median(pairs.map(({ baseline }) => baseline))),
    ratio: rounded(ratio),
    limit: limit === undefined ? null : 'atLeast' in limit ? `>= ${limit.atLeast}` : `<= ${limit.atMost}`,
    ok,
    pairs: pairs.length,
  };
};

/** Measures pairs in turn, and which of the two goes first in turn as well, so that a slow moment falls on both. */
export const inPairs = async (
  count: number,
  ours: (at: number) => Promise<number>,
  baseline: (at: number) => Promise<number>,
): Promise<Pair[]> => {
  const pairs: Pair[] = [];
  for (let at = 0; at < count; at++) {
    if (at % 2 === 0) {
      const first = await baseline(at);
      pairs.push({ baseline: first, ours: await ours(at) });
    } else {
      const first = await ours(at);
      pairs.push({ ours: first, baseline: await baseline(at) });
    }
  }
  return pairs;
};
