import { expect, it } from 'vitest';
import { raiseStack } from '../rig/stack.ts';
import { knockEverywhere } from './doors.ts';

// DESIGN section 2: generated requests at every door of real parts end in an answer or a refusal of the table, never in a 5xx.
it('generated requests over HTTP and MCP reach the daemon and break nothing', async ({ annotate }) => {
  const stack = await raiseStack();
  try {
    const knocked = await knockEverywhere(stack, 100, 4);
    for (const [door, { byStatus }] of Object.entries(knocked))
      expect(byStatus['200'] ?? 0, `${door} ${JSON.stringify(byStatus)}`).toBeGreaterThan(0);
    for (const part of Object.values(stack.parts)) expect(await Promise.race([part.ended, Promise.resolve('up')]), part.name).toBe('up');
    await annotate('300 generated requests', 'count');
  } finally {
    await stack.close();
  }
}, 120_000);
