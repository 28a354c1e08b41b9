import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { Client } from '@fairlead/shared/contract/client';
import { InstanceId } from '@fairlead/shared/contract/ids';
import { operation } from '@fairlead/shared/contract/operations/operation';
import { OPERATIONS, type OperationName, type OperationTable } from '@fairlead/shared/contract/operations/table';
import { systemClock } from '@fairlead/shared/kit/clock';
import { createLog } from '@fairlead/shared/kit/log';
import { filesIn } from '@fairlead/connector/config/files';
import { readSettings } from '@fairlead/connector/config/settings';
import { runConnector, type RunningConnector } from '@fairlead/connector/connector';
import { enroll } from '@fairlead/connector/enrollment/enroll';
import { daemonAccess } from '@fairlead/connector/share/daemon-access';
import { shareInstance } from '@fairlead/connector/share/share-instance';
import { daemonHome } from '@fairlead/daemon/config/home';
import { startDaemon, type Daemon } from '@fairlead/daemon/daemon';
import { loadSettings, relayHome } from '@fairlead/relay/config/settings';
import { startRelay, type Relay } from '@fairlead/relay/relay';
import { mcpPlanner } from './rig/mcp-planner.ts';
import { clientFor } from './rig/planner.ts';
import { until } from './rig/processes.ts';
import { makeRepository, SAMPLE_PROJECT } from './rig/repositories.ts';

/** One row … */
const greetInstance = operation({
  name: 'greet_instance',
  title: 'Greet an instance',
  description: 'Answers a greeting from the machine of an instance.',
  route: 'GET /instances/:instance_id/greeting',
  input: z.strictObject({ instance_id: InstanceId, name: z.string().max(20), times: z.number().int().positive().default(1) }),
  output: z.object({ greeting: z.string(), remote: z.boolean() }),
  scope: 'instances:read',
  remote: true,
});

/** … and one handler. */
const more = {
  greet_instance: (input: z.output<typeof greetInstance.input>, { asker }: { asker: { remote: boolean } }) => ({
    greeting: `hello ${input.name}`.repeat(input.times),
    remote: asker.remote,
  }),
};

let home = '';
let relay: Relay;
let daemon: Daemon;
let connector: RunningConnector;
let instance = '';
let operator: Client;
let planner: Client;
let plannerToken = '';

/** The typed client does not know the name of a row that only this test has. */
const greet = (client: Client, input: Record<string, unknown>) => client.call('greet_instance' as OperationName, input);

const secretIn = (...path: string[]) => readFileSync(join(home, ...path), 'utf8').trim();

beforeAll(async () => {
  (OPERATIONS as unknown as Record<string, OperationTable[string]>)['greet_instance'] = greetInstance;
  home = realpathSync(mkdtempSync(join(tmpdir(), 'fairlead-row-')));
  mkdirSync(join(home, 'relay'), { mode: 0o700 });
  writeFileSync(join(home, 'relay', 'config.json'), '{"log":"silent"}', { mode: 0o600 });
  const relayFolder = relayHome(home);
  relay = await startRelay({ home: relayFolder, settings: await loadSettings(relayFolder, { port: 0 }) });
  daemon = await startDaemon({ home: daemonHome(home), env: {}, flags: { port: '0', log: 'silent' }, crashAt: undefined, more });
  operator = clientFor(daemon.url, '/api/v1', secretIn('daemon', 'operator.token'));
  const repository = makeRepository(join(home, 'shop'), SAMPLE_PROJECT);
  instance = (
    await operator.call('add_instance', { path: repository, unconfined: daemon.confinement === 'unconfined' }, { idempotencyKey: 'add' })
  ).id;

  const admin = clientFor(relay.url, '/api/v2', secretIn('relay', 'admin.token'));
  const { secret } = await admin.call('create_enrollment_token', {});
  const settings = readSettings({ FAIRLEAD_HOME: home }, {});
  const files = filesIn(settings.home);
  const identity = await enroll({ relay: relay.url, secret, label: 'row' }, { files, clock: systemClock });
  const order = {
    instance,
    allow: [],
    executors: null,
    validations: null,
    steps: null,
    wallMs: null,
    days: undefined,
    acceptDecisions: false,
  };
  await shareInstance(order, { files, identity, daemon: await daemonAccess(settings), clock: systemClock });
  connector = await runConnector({ files, table: OPERATIONS, clock: systemClock, log: createLog({ part: 'connector', level: 'silent' }) });
  plannerToken = (await admin.call('create_planner_token', { name: 'planner' })).secret;
  planner = clientFor(relay.url, '/api/v2', plannerToken);
  await until('the instance answers', () => planner.call('get_instance', { instance_id: instance }).catch(() => false as const));
}, 60_000);

afterAll(async () => {
  await connector?.stop();
  await relay?.close(100);
  await daemon?.stop();
  delete (OPERATIONS as unknown as Record<string, unknown>)['greet_instance'];
  rmSync(home, { recursive: true, force: true });
});

describe('an operation that is added to the table, one row and one handler', () => {
  it('is a route of the daemon, through the typed client', async () => {
    expect(await greet(operator, { instance_id: instance, name: 'owner' })).toEqual({ greeting: 'hello owner', remote: false });
  });

  it("passes the connector's allowlist and is a route of the relay, through the typed client", async () => {
    expect(await greet(planner, { instance_id: instance, name: 'planner', times: 2 })).toEqual({
      greeting: 'hello plannerhello planner',
      remote: true,
    });
  });

  it('is in the default grant, and get_instance says that it may be asked', async () => {
    expect((await planner.call('get_instance', { instance_id: instance })).you.operations).toContain('greet_instance');
  });

  it('is refused by its schema on both ways', async () => {
    for (const client of [operator, planner]) {
      await expect(greet(client, { instance_id: instance, name: 'x'.repeat(21) })).rejects.toMatchObject({
        code: 'invalid_input',
        context: { field: 'name' },
      });
      await expect(greet(client, { instance_id: instance, name: 'x', shout: true })).rejects.toMatchObject({ code: 'invalid_input' });
    }
  });

  it.each(['/api/v1', '/api/v2'] as const)('is in the OpenAPI document of %s under its name', async (prefix) => {
    const response = await fetch(`${prefix === '/api/v1' ? daemon.url : relay.url}${prefix}/openapi.json`);
    const document = (await response.json()) as { paths: Record<string, Record<string, { operationId: string }>> };
    expect(document.paths[`${prefix}/instances/{instance_id}/greeting`]?.['get']?.operationId).toBe('greet_instance');
  });

  it('is an MCP tool with both schemas and all annotations', async () => {
    const mcp = await mcpPlanner(`${relay.url}/mcp`, plannerToken);
    try {
      const { tools } = await mcp.client.listTools();
      const tool = tools.find(({ name }) => name === 'greet_instance');
      expect(tool?.inputSchema.required).toEqual(expect.arrayContaining(['instance_id', 'name']));
      expect(tool?.outputSchema).toMatchObject({ type: 'object' });
      expect(tool?.annotations).toMatchObject({ readOnlyHint: true, destructiveHint: false });
      const answer = await mcp.client.callTool({ name: 'greet_instance', arguments: { instance_id: instance, name: 'chat' } });
      expect(answer.structuredContent).toEqual({ greeting: 'hello chat', remote: true });
    } finally {
      await mcp.close();
    }
  });
});
