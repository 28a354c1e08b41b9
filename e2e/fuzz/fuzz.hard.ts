import { expect, it } from 'vitest';
import { fuzzTargets, held } from './fuzz.ts';

const INPUTS = 1_000_000;
/** What may be left over after a million inputs that are all gone. In bytes. */
const MOST_HEAP = 24 * 1024 * 1024;

// DESIGN section 2, "Strict at every boundary": a million inputs are read or refused by a code; no crash, no leak of memory or handles.
it('a million generated frames, inputs, tasks, policies, patches and patterns break nothing and leave nothing', async ({ annotate }) => {
  const seed = Date.now() % 1_000_000;
  // The first round fills what is made once: samples, caches, compiled code.
  await fuzzTargets(20_000, seed);
  const before = held();
  const played = await fuzzTargets(INPUTS, seed);
  const after = held();
  const sum = played.reduce((all, { inputs }) => all + inputs, 0);
  expect(sum).toBeGreaterThanOrEqual(INPUTS);
  expect(played.filter(({ taken }) => taken === 0)).toEqual([]);
  expect(after.heap - before.heap, `seed ${seed}`).toBeLessThan(MOST_HEAP);
  expect(after.descriptors, `seed ${seed}`).toBeLessThanOrEqual(before.descriptors);
  for (const { target, inputs } of played) await annotate(`${inputs} generated ${target}`, 'count');
});
