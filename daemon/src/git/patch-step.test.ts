import { expect, it } from 'vitest';
import { measurePatchStep } from './patch-step.bench.ts';

it('a patch step costs git less than a bare work tree does', async () => {
  const figure = await measurePatchStep({ files: 5000, pairs: 7 });
  process.stderr.write(`${JSON.stringify(figure)}\n`);
  expect(figure.ratio).toBeLessThan(1);
}, 120_000);
