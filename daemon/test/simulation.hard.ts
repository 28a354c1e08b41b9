import { expect, it } from 'vitest';
import { playHistories } from './simulation/histories.ts';

const HISTORIES = 3000;

// Promise 2: nothing is lost and nothing happens twice, over thousands of histories with another seed each time.
it('thousands of histories of the scheduler, with crashes, keep every promise', async ({ annotate }) => {
  const { histories, lines, crashes } = await playHistories(HISTORIES, Date.now() % 1_000_000_000);
  expect(histories).toBe(HISTORIES);
  await annotate(`${histories} histories of the scheduler`, 'count');
  await annotate(`${crashes} crashes of the simulated machine`, 'count');
  await annotate(`${lines} lines of history`, 'count');
});
