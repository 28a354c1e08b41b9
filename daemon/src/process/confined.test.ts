import { expect, it } from 'vitest';
import { confinementContract, confining, sandboxes } from './confined.contract.ts';

it('takes the first of the sandboxes that work', () => {
  expect(confining.sandbox?.kind).toBe(sandboxes[0]?.kind);
});

confinementContract([confining.unconfined, ...sandboxes.slice(0, 1)]);
