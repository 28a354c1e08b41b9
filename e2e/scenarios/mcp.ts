import { OPERATIONS } from '@fairlead/shared/contract/operations/table';
import { mcpPlanner } from '../rig/mcp-planner.ts';
import { doTask } from '../rig/planner.ts';
import { MENDING_PATCH } from '../rig/repositories.ts';
import { holds, refused, type Scenario } from './scenario.ts';

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'older', version: '1' } },
};

export const mcp: Scenario = {
  name: 'mcp',
  proves: 'a chat assistant can do all of it over MCP, in the older and the newer form of the protocol',
  async play(stack, report) {
    const id = stack.instances[0]!.id;
    const unsigned = await fetch(stack.mcpUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      body: '{}',
    });
    await unsigned.body?.cancel();
    holds(
      unsigned.status === 401 && unsigned.headers.has('www-authenticate'),
      'without a token the answer is 401 with WWW-Authenticate',
      report,
      unsigned.status,
    );
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      authorization: `Bearer ${stack.plannerToken}`,
    };
    const older = await fetch(stack.mcpUrl, { method: 'POST', headers, body: JSON.stringify(INITIALIZE) });
    const greeting = await older.text();
    holds(
      older.status === 200 && greeting.includes('"protocolVersion":"2025-11-25"'),
      'an older client is greeted in its own protocol version',
      report,
      greeting,
    );

    const planner = await mcpPlanner(stack.mcpUrl, stack.plannerToken);
    try {
      const { tools } = await planner.client.listTools();
      const names = tools.map(({ name }) => name);
      holds(
        names.includes('submit_task') && names.includes('wait_step') && !names.includes('approve_gate'),
        'the tools are those that this token and this grant allow',
        report,
        names,
      );
      holds(
        tools.every(({ name }) => name.length <= 32 && Object.hasOwn(OPERATIONS, name)),
        'each tool is an operation of that name',
        report,
      );
      holds(
        tools.every(
          ({ annotations, outputSchema }) =>
            outputSchema !== undefined &&
            ['readOnlyHint', 'destructiveHint', 'idempotentHint', 'openWorldHint'].every(
              (hint) => annotations !== undefined && hint in annotations,
            ),
        ),
        'each has an output schema and all four annotations',
        report,
      );
      const result = await doTask(planner, id, { title: 'Mend shipping', patch: MENDING_PATCH, executor: 'patch' });
      holds(
        result.step.state === 'needs_approval' && result.validations.every(({ passed }) => passed),
        'a task is submitted, waited for and read',
        report,
        result.step,
      );
      const patch = await planner.content(result.change!.patch_artifact_id);
      holds(patch.toString().includes('+  if (totalCents >= freeFrom) {'), 'its patch is read', report);
      await refused('executor_unknown', 'an error carries its code', report, () =>
        doTask(planner, id, { title: 'No', goal: 'x', executor: 'nobody' }),
      );
      await refused(['patch_required', 'invalid_input'], 'a goal without a patch says what is missing', report, () =>
        doTask(planner, id, { title: 'No', goal: 'x', executor: 'patch' }),
      );
    } finally {
      await planner.close();
    }
  },
};
