import { expect, it } from 'vitest';
import { playHistories } from './simulation/histories.ts';

// Promise 2: nothing is lost and nothing happens twice, whatever is asked in whatever order and whenever the power goes.
it('histories of the scheduler, with crashes, keep every promise', async ({ annotate }) => {
  const { histories, lines, crashes } = await playHistories(60, 20_260);
  expect(histories).toBe(60);
  await annotate(`${histories} histories of the scheduler`, 'count');
  await annotate(`${crashes} crashes of the simulated machine`, 'count');
  await annotate(`${lines} lines of history`, 'count');
}, 60_000);
