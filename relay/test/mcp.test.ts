import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { OPERATIONS, operationsOf } from '@fairlead/shared/contract/operations/table';
import { systemClock } from '@fairlead/shared/kit/clock';
import { readAll, requestRaw } from '@fairlead/shared/kit/http-client';
import { testConnector, testInstance, testRelay, type TestConnector, type TestRelay } from './rig.ts';

let relay: TestRelay;
let connector: TestConnector;
const instance = testInstance();
const text = 'grüße '.repeat(20_000);
const stepId = instance.resource('step');

const step = {
  id: stepId,
  run_id: instance.resource('run'),
  instance_id: instance.id,
  number: 1,
  title: 't',
  state: 'completed',
  ended: true,
  reason: null,
  warnings: [],
  executor: { requested: 'patch', used: 'patch' },
  simulated: false,
  confinement: 'not_needed',
  position: null,
  base: 'target',
  base_commit: null,
  attempts: 1,
  attempt_id: null,
  change_id: null,
  gate_id: null,
  stop_requested_at: null,
  submitted_by: { id: 'p', name: 'p' },
  authority: 'relay_asserted',
  created_at: '2026-01-01T00:00:00.000Z',
  updated_at: '2026-01-01T00:00:00.000Z',
  ended_at: null,
  from_a_newer_daemon: true,
};

const value = (body: unknown) => ({ status: 200, type: 'application/json', body: Buffer.from(JSON.stringify(body)) });

beforeAll(async () => {
  relay = await testRelay();
  connector = await testConnector(relay, async ({ operation, input }, { signal }) => {
    if (operation === 'wait_step') {
      await systemClock.sleep(8_500, signal);
      return value({
        step,
        gate: null,
        events: [],
        next_cursor: 'c00000000.1',
        resumed: 'resumed',
        wait_again: false,
        sentence: 'The step is completed.',
      });
    }
    if (operation === 'get_artifact')
      return value({
        id: input['artifact_id'],
        step_id: stepId,
        attempt_id: null,
        kind: 'output',
        name: 'o',
        media_type: 'text/plain',
        size: Buffer.byteLength(text),
        sha256: '0'.repeat(64),
        redactions: {},
        created_at: '2026-01-01T00:00:00.000Z',
      });
    if (operation === 'get_artifact_content') {
      const offset = input['offset'] as number;
      return { status: 200, type: 'text/plain', body: Buffer.from(text).subarray(offset, offset + (input['length'] as number)) };
    }
    if (operation === 'approve_gate') throw new FairleadError('authority_required');
    return value(step);
  });
  await connector.advertise(connector.descriptor(instance));
});
afterAll(() => relay.end());

const connect = async (secret: string, mode: 'auto' | 'legacy') => {
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`${relay.url}/mcp`), { requestInit: { headers: { authorization: `Bearer ${secret}` } } }),
  );
  return client;
};

const post = async (headers: Record<string, string>, body = '{}', method = 'POST') => {
  const answer = await requestRaw({
    method,
    url: `${relay.url}/mcp`,
    headers: { accept: 'application/json, text/event-stream', ...headers },
    ...(method === 'POST' && { body }),
  });
  return { status: answer.status, headers: answer.headers, text: (await readAll(answer.body)).toString('utf8') };
};

describe.each(['auto', 'legacy'] as const)('an MCP client of the %s era', (mode) => {
  it('sees a plain tool for each operation that its scopes allow', async () => {
    const { secret } = await relay.plannerToken();
    const client = await connect(secret, mode);
    const { tools } = await client.listTools();
    const remote = operationsOf('relay').filter((row) => row.remote);
    const allowed = remote.filter((row) => row.effect !== 'decide' && row.scope !== 'files:read').map((row) => row.name);
    expect(tools.map(({ name }) => name)).toEqual(allowed);
    for (const tool of tools) {
      expect(tool.name).toMatch(/^[a-z0-9_]{1,32}$/);
      expect(tool.inputSchema).toMatchObject({ type: 'object' });
      expect(JSON.stringify(tool)).not.toContain('$ref');
      for (const schema of [tool.inputSchema, tool.outputSchema!])
        for (const bad of ['anyOf', 'oneOf', 'allOf']) expect(schema).not.toHaveProperty(bad);
      expect(Object.keys(tool.annotations!).sort()).toEqual([
        'destructiveHint',
        'idempotentHint',
        'openWorldHint',
        'readOnlyHint',
        'title',
      ]);
      expect(tool.annotations!.readOnlyHint).toBe(OPERATIONS[tool.name as keyof typeof OPERATIONS].effect === 'read');
    }
    expect(tools.find(({ name }) => name === 'submit_task')!.inputSchema.properties).toHaveProperty('idempotency_key');
    await client.close();
  });

  it('calls a tool, and tolerates what a newer daemon adds', async () => {
    const { secret } = await relay.plannerToken();
    const client = await connect(secret, mode);
    await client.listTools();
    const result = await client.callTool({ name: 'get_step', arguments: { step_id: stepId } });
    expect(result.structuredContent).toEqual(step);
    expect(result.content).toMatchObject([{ type: 'text', text: `Get a step: ${stepId} is completed.` }, {}]);
    await client.callTool({ name: 'cancel_step', arguments: { step_id: stepId, idempotency_key: 'k1' } });
    expect(connector.requests.at(-1)).toMatchObject({ operation: 'cancel_step', idempotency_key: 'k1', input: { step_id: stepId } });
    const made = await client.callTool({ name: 'cancel_step', arguments: { step_id: stepId } });
    expect(made._meta!['fairlead/idempotency_key']).toBe(connector.requests.at(-1)!.idempotency_key);
    await client.close();
  });

  it('gets errors as results with the same problem document as over HTTP', async () => {
    const { secret } = await relay.plannerToken({ scopes: ['steps:read', 'gates:decide'] });
    const client = await connect(secret, mode);
    const failed = async (name: string, args: Record<string, unknown>) => {
      const result = await client.callTool({ name, arguments: args });
      expect(result.isError).toBe(true);
      return result.structuredContent as { code: string; field?: string };
    };
    expect(await failed('get_step', { step_id: stepId, nonsense: 1 })).toMatchObject({ code: 'invalid_input', field: 'nonsense' });
    expect(await failed('get_step', { step_id: testInstance().resource('step') })).toMatchObject({ code: 'not_found' });
    expect(await failed('start_run', { instance_id: instance.id })).toMatchObject({ code: 'scope_denied', scope: 'runs:write' });
    expect(await failed('approve_gate', { gate_id: instance.resource('gate'), digest: 'd' })).toMatchObject({ code: 'authority_required' });
    expect(await failed('set_connector_state', {})).toMatchObject({ code: 'operation_unknown' });
    const { content } = await client.callTool({ name: 'get_steps', arguments: {} });
    expect(content).toMatchObject([
      { text: 'operation_unknown: There is no such tool. Did you mean get_step? tools/list names them all.' },
      {},
    ]);
    const { items } = await relay.admin.call('list_audit', { outcome: 'operation_unknown' });
    expect(items.map(({ action }) => action)).toContain('set_connector_state');
    await client.close();
  });

  it('reads an artifact page by page as text', async () => {
    const { secret } = await relay.plannerToken();
    const client = await connect(secret, mode);
    let offset: number | null = 0;
    let read = '';
    while (offset !== null) {
      const result = await client.callTool({ name: 'get_artifact_content', arguments: { artifact_id: instance.resource('art'), offset } });
      const page = result.structuredContent as { encoding: string; content: string; next_offset: number | null };
      expect(page.encoding).toBe('utf-8');
      read += page.content;
      offset = page.next_offset;
    }
    expect(read).toBe(text);
    await client.close();
  });

  it('hears of progress while it waits', async () => {
    const { secret } = await relay.plannerToken();
    const client = await connect(secret, mode);
    const heard: number[] = [];
    const result = await client.callTool(
      { name: 'wait_step', arguments: { step_id: stepId } },
      { onprogress: ({ progress }) => void heard.push(progress) },
    );
    expect(result.content).toMatchObject([{ text: 'The step is completed.' }, {}]);
    expect(heard).toEqual([1, 2]);
    await client.close();
  });

  it('is cut off in a wait when its token is revoked', async () => {
    const { secret, id } = await relay.plannerToken();
    const client = await connect(secret, mode);
    const wait = client.callTool({ name: 'wait_step', arguments: { step_id: stepId } });
    const before = connector.requests.length;
    while (connector.requests.length === before) await systemClock.sleep(10);
    const since = performance.now();
    await relay.admin.call('revoke_planner_token', { token_id: id });
    expect((await wait).structuredContent).toMatchObject({ code: 'unauthenticated' });
    expect(performance.now() - since).toBeLessThan(1000);
    await client.close();
  });
});

describe('the MCP endpoint', () => {
  it('settles who calls before method, body and version', async () => {
    for (const method of ['POST', 'GET', 'DELETE']) {
      const answer = await post({ 'content-type': 'text/plain', 'mcp-protocol-version': 'nonsense' }, 'nonsense', method);
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toContain('Bearer');
    }
    const { secret } = await relay.plannerToken();
    const authorization = `Bearer ${secret}`;
    expect((await post({ authorization }, '', 'GET')).status).toBe(405);
    expect(
      (await post({ authorization, 'content-type': 'application/json' }, '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}')).text,
    ).toContain('malformed_json');
  });

  it('refuses a Host and an Origin that are not its own', async () => {
    const { secret } = await relay.plannerToken();
    const authorization = `Bearer ${secret}`;
    expect((await post({ authorization, origin: 'https://evil.example' })).status).toBe(403);
    expect((await post({ authorization, host: 'evil.example' })).status).toBe(403);
  });

  it('needs no session: a call without initialize is served', async () => {
    const { secret } = await relay.plannerToken();
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'list_instances', arguments: {} } });
    const answer = await post(
      { authorization: `Bearer ${secret}`, 'content-type': 'application/json', 'mcp-protocol-version': '2025-06-18' },
      body,
    );
    expect(answer.status).toBe(200);
    expect(answer.text).toContain(instance.id);
    expect(answer.headers['mcp-session-id']).toBeUndefined();
  });

  it('gives a planner no more than HTTP does: the instances of its token, and what it sent as it sent it', async () => {
    const elsewhere = await relay.plannerToken({ instances: [testInstance().id] });
    const narrow = await connect(elsewhere.secret, 'auto');
    const foreign = await narrow.callTool({ name: 'get_step', arguments: { step_id: stepId } });
    expect(foreign).toMatchObject({ isError: true, structuredContent: { code: 'not_found' } });
    expect((await narrow.callTool({ name: 'list_instances', arguments: {} })).structuredContent).toEqual({ items: [] });
    await narrow.close();

    const client = await connect((await relay.plannerToken()).secret, 'auto');
    const input = {
      run_id: instance.resource('run'),
      task: { goal: 'Größe\r\n  of "it"\n', executor: 'simulation.finished', constraints: ['one', 'two'], timeout: '90s' },
    };
    await client.callTool({ name: 'submit_task', arguments: input });
    expect(connector.requests.at(-1)).toMatchObject({ operation: 'submit_task', instance_id: instance.id });
    expect(connector.requests.at(-1)!.input).toMatchObject(input);
    const asked = connector.requests.length;
    const without = await client.callTool({ name: 'submit_task', arguments: { run_id: input.run_id } });
    expect(without).toMatchObject({ isError: true, structuredContent: { code: 'invalid_input', field: 'task' } });
    expect(connector.requests.length).toBe(asked);
    await client.close();
  });

  it('lists decide tools only where an instance serves them and the scope allows', async () => {
    const { secret } = await relay.plannerToken({ scopes: ['gates:decide', 'changes:decide'] });
    const client = await connect(secret, 'auto');
    const { tools } = await client.listTools();
    expect(tools.map(({ name, annotations }) => [name, annotations!.destructiveHint])).toEqual([['approve_gate', true]]);
    await client.close();
  });
});
