import { bench, describe } from 'vitest';
import { canonicalJson, parseStrictJson } from './json.ts';

const id = 'step_aaaaaaaaaa_019a0000-0000-7000-8000-000000000000';
const DOCUMENTS = {
  'a request of 300 bytes': {
    t: 'request',
    id: 17,
    operation: 'get_step',
    instance_id: `ins_${'a'.repeat(26)}`,
    input: { step_id: id },
    time_left_ms: 30_000,
    principal: { id: 'p', name: 'Planner' },
    authority: 'relay_asserted',
  },
  'a task of 4 KiB': {
    task: {
      goal: 'Do it well.\n'.repeat(60),
      allowed_paths: Array.from({ length: 60 }, (_, index) => `src/part-${index}/**`),
      constraints: ['"quoted"', 'plain'],
      timeout: 600,
    },
  },
  'a patch of 1 MiB': { task: { patch: '+  const text = "a line of code";\n'.repeat(31_000) } },
  'a list of 500 rows': {
    items: Array.from({ length: 500 }, (_, index) => ({ id, number: index, state: 'completed', ended: true, warnings: [], reason: null })),
  },
};

for (const [name, document] of Object.entries(DOCUMENTS)) {
  const text = JSON.stringify(document);
  describe(name, () => {
    bench('JSON.parse', () => void JSON.parse(text));
    bench('parseStrictJson', () => void parseStrictJson(text));
    bench('JSON.stringify', () => void JSON.stringify(document));
    bench('canonicalJson', () => void canonicalJson(document));
  });
}
