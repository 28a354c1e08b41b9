import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Artifact } from '@fairlead/shared/contract/resources';
import { downloadElsewhere } from '../rig/downloads.ts';
import { doTask } from '../rig/planner.ts';
import { residentOf } from '../rig/processes.ts';
import { raiseStack, type Stack } from '../rig/stack.ts';

const MIB = 1024 * 1024;
const SIZE = 1024 * MIB;
/** What a part may grow by while the artifact passes it: some windows of credit and what a collector has not collected yet. */
const GROWTH = 160 * MIB;
/** How much longer a question may take while the artifact passes. */
const SLOWER = 5;
/** Below this, in ms, what the scheduler of a busy machine does weighs more than what we do. */
const FLOOR = 10;

const PROGRAM = `
const { createWriteStream } = require('node:fs');
const { randomFillSync } = require('node:crypto');
const out = createWriteStream(process.env.FAIRLEAD_OUT + '/big.bin');
let left = ${SIZE / MIB};
const write = () => { while (left-- > 0) if (!out.write(randomFillSync(Buffer.alloc(${MIB})))) return out.once('drain', write); out.end(); };
write();
`;

const p99 = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)]!;

/** DESIGN 5: an artifact of any size passes in bounded memory, and nothing that is asked meanwhile waits behind it. */
describe('an artifact of 1 GiB', () => {
  let stack: Stack;
  let stepId: string;
  let artifact: Artifact;

  beforeAll(async () => {
    stack = await raiseStack({ config: `commands:\n  big: { run: [node, -e, ${JSON.stringify(PROGRAM)}] }\n` });
    const { step } = await doTask(stack.planner, stack.instances[0]!.id, { title: 'Big', executor: 'command.big' }, 900_000);
    stepId = step.id;
    const { items } = await stack.planner.call('list_artifacts', { step_id: step.id });
    artifact = items.find(({ name }) => name.endsWith('big.bin'))!;
  }, 1_000_000);
  afterAll(() => stack?.close());

  /** Asks for the step again and again, one question at a time, until it is told to stop. */
  const questions = async (until: () => boolean): Promise<number[]> => {
    const times: number[] = [];
    while (!until()) {
      const began = performance.now();
      await stack.planner.call('get_step', { step_id: stepId });
      times.push(performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return times;
  };

  it('is kept whole', () => {
    expect(artifact).toMatchObject({ size: SIZE });
  });

  it('reaches a remote planner whole, in bounded memory of all three parts, while questions are answered', async ({ annotate }) => {
    const parts = Object.values(stack.parts);
    const idleSince = performance.now();
    const idle = await questions(() => performance.now() - idleSince > 10_000);
    const before = parts.map(({ pid }) => residentOf(pid));
    const most = [...before];
    const watch = setInterval(() => parts.forEach(({ pid }, at) => (most[at] = Math.max(most[at]!, residentOf(pid)))), 50);
    let done = false;
    try {
      const asked = questions(() => done);
      const url = `${stack.relayUrl}/api/v2/artifacts/${artifact.id}/content`;
      const [digest] = await downloadElsewhere(url, stack.plannerToken, { times: 1 }).digests.finally(() => (done = true));
      const busy = await asked;
      expect(digest).toBe(artifact.sha256);
      const grown = parts.map(({ name }, at) => ({ name, grown: Math.round((most[at]! - before[at]!) / MIB) }));
      for (const { name, grown: by } of grown) expect(by * MIB, `${name} grew by ${by} MiB`).toBeLessThan(GROWTH);
      const told = `p99 ${p99(busy).toFixed(1)} ms of ${busy.length} while it passes, ${p99(idle).toFixed(1)} ms of ${idle.length} idle`;
      expect(p99(busy), told).toBeLessThan(SLOWER * Math.max(FLOOR, p99(idle)));
      await annotate(`${told}; ${grown.map(({ name, grown: by }) => `${name} +${by} MiB`).join(', ')}`);
    } finally {
      clearInterval(watch);
    }
  });
});
