import { randomUUID } from 'node:crypto';
import type { Stack } from '../rig/stack.ts';
import { knock, mcpRequests, restRequests, type Door, type Known, type Knocked } from './http.ts';

/** A run with a step that has ended, so that generated requests have something to name. */
const prepare = async (stack: Stack): Promise<Known> => {
  const instance_id = stack.instances[0]!.id;
  const run = await stack.planner.call('start_run', { instance_id, title: 'Fuzz' });
  const patch = 'diff --git a/fuzz.txt b/fuzz.txt\nnew file mode 100644\n--- /dev/null\n+++ b/fuzz.txt\n@@ -0,0 +1 @@\n+one\n';
  const step = await stack.planner.call('submit_task', { run_id: run.id, task: { patch, title: 'Fuzz' } });
  return { instance_id, run_id: run.id, step_id: step.id };
};

const plannerTokens = (stack: Stack, count: number): Promise<string[]> =>
  Promise.all(
    Array.from({ length: count }, async (_, at) => {
      const { secret } = await stack.admin.call('create_planner_token', { name: `fuzz-${at}` }, { idempotencyKey: randomUUID() });
      return secret;
    }),
  );

/** Knocks at the relay's API, its MCP endpoint and the daemon's API, so often each. */
export const knockEverywhere = async (stack: Stack, count: number, seed: number): Promise<Record<string, Knocked>> => {
  const known = await prepare(stack);
  const tokens = await plannerTokens(stack, Math.max(2, Math.ceil(count / 2000)));
  const doors: readonly Door[] = [
    { name: 'relay /api/v2', url: stack.relayUrl, tokens, make: restRequests('relay', '/api/v2', known) },
    { name: 'relay /mcp', url: stack.relayUrl, tokens, make: mcpRequests(known) },
    { name: 'daemon /api/v1', url: stack.daemonUrl, tokens: [stack.daemonToken], make: restRequests('daemon', '/api/v1', known) },
  ];
  const knocked: Record<string, Knocked> = {};
  for (const [at, door] of doors.entries()) knocked[door.name] = await knock(door, count, seed + at);
  return knocked;
};
