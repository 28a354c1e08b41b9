import { expect, it } from 'vitest';
import { fuzzTargets } from './fuzz.ts';

// DESIGN section 2, "Strict at every boundary": what strangers write is read or refused by a code, and nothing else happens.
it('a sample of generated frames, inputs, tasks, policies, patches and patterns breaks nothing', async ({ annotate }) => {
  const played = await fuzzTargets(10_000, 4);
  // The good way is walked too: a target that refuses everything would not be tested.
  expect(played.filter(({ taken }) => taken === 0)).toEqual([]);
  await annotate(`${played.reduce((sum, { inputs }) => sum + inputs, 0)} generated inputs`, 'count');
}, 120_000);
