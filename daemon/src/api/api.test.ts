import { OPERATIONS, operationsOf } from '@fairlead/shared/contract/operations/table';
import { toHttp } from '@fairlead/shared/contract/http';
import type { Operation } from '@fairlead/shared/contract/operations/operation';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeOf, foreignId, FOREIGN_INSTANCE, key, PATCH, ServedDaemon, type Shared } from './served.fixture.ts';

const daemon = new ServedDaemon();
let instance: string;
let shared: Shared;

beforeAll(async () => {
  await daemon.start();
  instance = await daemon.instance('shop');
  shared = await daemon.share(instance);
});
afterAll(() => daemon.remove());

describe('who asks', () => {
  it('refuses a missing, a malformed and an unknown token in the same words', async () => {
    const answers = await Promise.all(
      ['', 'nonsense', `flo_${'x'.repeat(43)}`].map((token) => daemon.ask('GET', '/api/v1/status', { token })),
    );
    for (const { status, json, headers } of answers) {
      expect(status).toBe(401);
      expect({ ...json, request_id: '' }).toEqual({ ...answers[0]!.json, request_id: '' });
      expect(headers.get('www-authenticate')).toBe('Bearer');
    }
  });

  it('refuses foreign Host and Origin before anything else', async () => {
    expect((await daemon.ask('GET', '/healthz', { headers: { origin: 'https://evil.example' } })).json['code']).toBe('origin_denied');
    const { hostname, port } = new URL(daemon.url);
    const { request } = await import('node:http');
    const status = await new Promise((resolve) =>
      request({ hostname, port, path: '/healthz', headers: { host: 'evil.example' } }, (response) => resolve(response.statusCode)).end(),
    );
    expect(status).toBe(403);
  });

  it('answers unknown paths, wrong methods and bad JSON with problem documents', async () => {
    expect((await daemon.ask('GET', '/api/v1/nothing')).json['code']).toBe('not_found');
    const wrong = await daemon.ask('DELETE', '/api/v1/status');
    expect([wrong.json['code'], wrong.headers.get('allow')]).toEqual(['method_not_allowed', 'GET']);
    for (const body of [
      '{',
      '{"a":1,"a":2}',
      '{"__proto__":1}',
      '{"n":9007199254740993}',
      `${'['.repeat(40)}${']'.repeat(40)}`,
      '"\\ud800"',
    ]) {
      const { status, json } = await daemon.ask('POST', `/api/v1/instances/${instance}/runs`, { body });
      expect([status, json['code']]).toEqual([400, 'malformed_json']);
    }
  });

  it('names the field of an input that does not fit', async () => {
    const { json } = await daemon.ask('POST', `/api/v1/instances/${instance}/runs`, { body: { titel: 'x' } });
    expect(json).toMatchObject({ code: 'invalid_input', field: 'titel' });
  });

  it('does not let the operator ask for a delegation, nor a connector for the machine', async () => {
    expect(await codeOf(daemon.operator.call('get_delegation', { instance_id: instance }))).toBe('grant_denied');
    expect(await codeOf(shared.client.call('daemon_status', {}))).toBe('local_only');
    expect((await shared.client.call('get_delegation', { instance_id: instance })).grant.digest).toBe(shared.grant.digest);
  });
});

/** An input of the row in which every id belongs to another instance. */
const foreignInput = (row: Operation): Record<string, unknown> => {
  const values: Record<string, unknown> = {
    instance_id: FOREIGN_INSTANCE,
    run_id: foreignId('run'),
    step_id: foreignId('step'),
    change_id: foreignId('chg'),
    artifact_id: foreignId('art'),
    gate_id: foreignId('gate'),
    grant_id: foreignId('grant'),
    task: { goal: 'x' },
    digest: 'sha256:0',
    path: 'src/sum.txt',
    text: 'x',
    connector_key: 'a'.repeat(43),
    relay_key: 'a'.repeat(43),
  };
  return Object.fromEntries(
    Object.keys(row.input.shape)
      .filter((name) => name in values)
      .map((name) => [name, values[name]]),
  );
};

const REMOTE = operationsOf('daemon').filter((row) => row.remote);

describe('what a connector may ask', () => {
  it.each(REMOTE.filter((row) => row.name !== 'list_instances').map((row) => [row.name, row] as const))(
    '%s refuses ids of another instance',
    async (_, row) => {
      const everything = await daemon.share(instance, { operations: REMOTE.map(({ name }) => name), accept_relay_decisions: true });
      const { method, path, body } = toHttp(row, foreignInput(row));
      const { status, json } = await daemon.ask(method, `/api/v1${path}`, {
        token: everything.token,
        headers: { ...everything.headers, 'idempotency-key': key() },
        ...(body !== undefined && { body }),
      });
      expect([status, json['code']]).toEqual([403, 'instance_mismatch']);
    },
  );

  it.each(
    operationsOf('daemon')
      .filter((row) => !row.remote && row.surface === 'daemon')
      .map((row) => [row.name, row] as const),
  )('%s is local', async (_, row) => {
    const { method, path, body } = toHttp(row, foreignInput(row));
    const { json } = await daemon.ask(method, `/api/v1${path}`, {
      token: shared.token,
      headers: { ...shared.headers, 'idempotency-key': key() },
      ...(body !== undefined && { body }),
    });
    expect(json['code']).toBe('local_only');
  });

  it('refuses an id in the middle of an input, and one of the operator too', async () => {
    const run = await shared.client.call('start_run', { instance_id: instance }, { idempotencyKey: key() });
    const task = { base: foreignId('step'), executor: 'patch', patch: PATCH };
    expect(await codeOf(shared.client.call('submit_task', { run_id: run.id, task }, { idempotencyKey: key() }))).toBe('instance_mismatch');
    expect(await codeOf(daemon.operator.call('submit_task', { run_id: run.id, task }, { idempotencyKey: key() }))).toBe(
      'instance_mismatch',
    );
  });

  it('shows no path of the machine', async () => {
    const seen = JSON.stringify([
      await shared.client.call('list_instances', {}),
      await shared.client.call('get_instance', { instance_id: instance }),
    ]);
    expect(seen).not.toContain(daemon.root);
    expect(JSON.stringify(await daemon.operator.call('list_instances', {}))).toContain(daemon.root);
  });

  it('needs who asks and for which instance', async () => {
    const { 'fairlead-principal': principal, 'fairlead-instance': addressed } = shared.headers as Record<string, string>;
    const path = `/api/v1/instances/${instance}`;
    expect((await daemon.ask('GET', path, { token: shared.token, headers: { 'fairlead-principal': principal! } })).json).toMatchObject({
      code: 'invalid_input',
      field: 'Fairlead-Instance',
    });
    expect((await daemon.ask('GET', path, { token: shared.token, headers: { 'fairlead-instance': addressed! } })).json).toMatchObject({
      code: 'invalid_input',
      field: 'Fairlead-Principal',
    });
    // Read as strictly as everything else that a relay sends: which of the two would be asked about is not left to a parser.
    const twice = Buffer.from('{"id":"planner:a","id":"planner:b","name":"a"}').toString('base64url');
    const headers = { 'fairlead-principal': twice, 'fairlead-instance': addressed! };
    expect((await daemon.ask('GET', path, { token: shared.token, headers })).json).toMatchObject({ field: 'Fairlead-Principal' });
  });

  it('treats an instance that was never shared as one that does not exist', async () => {
    const other = await daemon.instance('other');
    const asks = [other, FOREIGN_INSTANCE].map((id) =>
      daemon.ask('GET', `/api/v1/instances/${id}`, { token: shared.token, headers: daemon.connectorHeaders(id) }),
    );
    const [known, unknown] = await Promise.all(asks);
    expect([known!.status, { ...known!.json, request_id: '' }]).toEqual([404, { ...unknown!.json, request_id: '' }]);
  });

  it('refuses a command line', async () => {
    const run = await shared.client.call('start_run', { instance_id: instance }, { idempotencyKey: key() });
    const task = { executor: 'patch', patch: PATCH, validations: [{ name: 'mine', run: ['sh', '-c', 'id'] }] };
    expect(await codeOf(shared.client.call('submit_task', { run_id: run.id, task }, { idempotencyKey: key() }))).toBe('argv_not_allowed');
  });

  it('does not serve what was not shared, and tells the owner', async () => {
    expect(await codeOf(shared.client.call('read_file', { instance_id: instance, path: 'src/sum.txt' }))).toBe('grant_denied');
    const { items } = await daemon.operator.call('list_events', { instance_id: instance, limit: 500 });
    const refused = items.findLast((event) => event.type === 'request.refused' && event.data['operation'] === 'read_file');
    expect(refused).toMatchObject({ authority: 'relay_asserted', principal: { id: 'planner-1' }, data: { code: 'grant_denied' } });
  });
});

describe('the operations table', () => {
  it('is what /openapi.json shows', async () => {
    const { json } = await daemon.ask('GET', '/api/v1/openapi.json', { token: '' });
    const ids = Object.values(json['paths'] as Record<string, Record<string, { operationId: string }>>).flatMap((path) =>
      Object.values(path).map((entry) => entry.operationId),
    );
    expect(ids.toSorted()).toEqual(
      operationsOf('daemon')
        .map((row) => row.name)
        .toSorted(),
    );
    expect(json['openapi']).toBe('3.1.0');
  });

  it('is what the page at /docs shows, without any script', async () => {
    const answer = await fetch(`${daemon.url}/api/v1/docs`);
    const text = await answer.text();
    expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-/);
    for (const { name } of operationsOf('daemon')) expect(text).toContain(`<article id="${name}">`);
    expect(text).not.toContain('<script');
  });

  it('has a text for Prometheus, for the operator alone', async () => {
    const answer = await fetch(`${daemon.url}/metrics`, { headers: { authorization: `Bearer ${daemon.token}` } });
    const text = await answer.text();
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(text).toMatch(/^fairlead_daemon_instances [1-9]\d*$/m);
    expect(text).toMatch(/^fairlead_daemon_steps\{state="needs_approval"\} \d+$/m);
    expect(text).not.toContain(instance);
    expect((await daemon.ask('GET', '/metrics', { token: '' })).json['code']).toBe('unauthenticated');
    expect((await daemon.ask('GET', '/metrics', { token: shared.token })).json['code']).toBe('local_only');
  });

  it('has a handler for each row', async () => {
    expect(OPERATIONS.get_step.name).toBe('get_step');
    expect(await codeOf(daemon.operator.call('get_step', { step_id: foreignId('step') }))).toBe('not_found');
  });
});
