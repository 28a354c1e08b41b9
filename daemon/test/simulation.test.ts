import { expect, it } from 'vitest';
import type { Move } from './simulation/history.ts';
import { playHistories, playKnown } from './simulation/histories.ts';

// Promise 2: nothing is lost and nothing happens twice, whatever is asked in whatever order and whenever the power goes.
it('histories of the scheduler, with crashes, keep every promise', async ({ annotate }) => {
  const { histories, lines, crashes } = await playHistories(60, 20_260);
  expect(histories).toBe(60);
  await annotate(`${histories} histories of the scheduler`, 'count');
  await annotate(`${crashes} crashes of the simulated machine`, 'count');
  await annotate(`${lines} lines of history`, 'count');
}, 60_000);

// The owner's halt stops what works; what waits stays in the queue, also where it was just about to begin.
it('a halt that is taken back at once stops no step that had not begun', async () => {
  const mood = {
    outcome: 'finished',
    works: 0,
    stage: 0,
    changes: false,
    fence: false,
    passes: true,
    unprepared: false,
    leaves: false,
  } as const;
  const submit = {
    do: 'submit',
    n: 0,
    ms: 0,
    moods: [mood],
    executor: 'command.again',
    gate: false,
    fallback: false,
    stands: false,
  } as const;
  const halt: Move = { do: 'halt', n: 0, turns: 0, ms: 0 };
  await playKnown(Array.from({ length: 12 }, (_, turns): Move[] => [{ ...submit, moods: [mood], turns }, halt]));
});
