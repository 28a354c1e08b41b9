import { expect, it } from 'vitest';
import { raiseStack } from '../rig/stack.ts';
import { knockEverywhere } from './doors.ts';
import { standing } from './http.ts';

const EACH = 10_000;

// DESIGN section 2: no request, however it is made, is answered by a 5xx of ours, ends a process or leaves a handle open in it.
it('tens of thousands of generated requests at every door break nothing and leave nothing', async ({ annotate }) => {
  const stack = await raiseStack();
  try {
    const seed = Date.now() % 1_000_000;
    await knockEverywhere(stack, 1000, seed);
    const look = () => Object.values(stack.parts).map(({ name, pid }) => ({ name, ...standing(pid) }));
    const before = look();
    const knocked = await knockEverywhere(stack, EACH, seed + 10);
    const after = look();
    for (const [at, { name, descriptors, megabytes }] of after.entries()) {
      expect(descriptors - before[at]!.descriptors, `${name}, seed ${seed}`).toBeLessThan(20);
      expect(megabytes - before[at]!.megabytes, `${name}, seed ${seed}`).toBeLessThan(200);
      expect(await Promise.race([stack.parts[name as 'relay'].ended, Promise.resolve('up')]), name).toBe('up');
    }
    for (const [door, { requests, byStatus }] of Object.entries(knocked)) {
      expect(byStatus['200'] ?? 0, `${door} ${JSON.stringify(byStatus)}`).toBeGreaterThan(0);
      await annotate(`${requests} generated requests at ${door}`, 'count');
    }
  } finally {
    await stack.close();
  }
});
