import { expect, it } from 'vitest';
import { confinementContract, sandboxes } from './confined.contract.ts';

const [first, ...others] = sandboxes;

it.runIf(others.length > 0)('the sandboxes that stand in for the first are of other kinds', () => {
  expect(others.map(({ kind }) => kind)).not.toContain(first!.kind);
});

confinementContract(others);
