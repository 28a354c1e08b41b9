import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { systemClock } from '@fairlead/shared/kit/clock';
import { requestRaw, readAll } from '@fairlead/shared/kit/http-client';
import { codeOf, testConnector, testInstance, testRelay, until, type TestConnector, type TestRelay } from './rig.ts';

let relay: TestRelay;
let connector: TestConnector;
const mine = testInstance();
const other = testInstance();

beforeAll(async () => {
  relay = await testRelay();
  connector = await testConnector(relay, async (asked, { signal }) => {
    const value = (body: unknown) => ({ status: 200, type: 'application/json', body: Buffer.from(JSON.stringify(body)) });
    if (asked.operation === 'wait_step') {
      await systemClock.sleep(20_000, signal);
      return value({});
    }
    if (asked.operation === 'get_run') throw new FairleadError('not_found', { detail: 'No such run in the ledger of this daemon.' });
    if (asked.operation === 'cancel_step') {
      connector.cut();
      await systemClock.sleep(20_000, signal);
    }
    if (asked.operation === 'get_artifact_content') {
      return {
        status: 200,
        type: 'text/html',
        body: (async function* () {
          for (let part = 0; part < 100; part++) yield Buffer.alloc(100_000, part);
        })(),
        length: 10_000_000,
      };
    }
    if (asked.accept === 'events') {
      return {
        status: 200,
        type: 'text/event-stream',
        body: (async function* () {
          yield Buffer.from('data: 1\n\n');
          await systemClock.sleep(20_000, signal);
          yield Buffer.from('data: 2\n\n');
        })(),
      };
    }
    return value({ operation: asked.operation, input: asked.input, big: 12345678901234567890n.toString() });
  });
  await connector.advertise(connector.descriptor(mine), connector.descriptor(other));
});
afterAll(() => relay.end());

const raw = async (method: string, path: string, token: string, headers: Record<string, string> = {}, body?: string) => {
  const answer = await requestRaw({
    method,
    url: `${relay.url}/api/v2${path}`,
    headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    body,
  });
  return { status: answer.status, headers: answer.headers, text: (await readAll(answer.body)).toString('utf8') };
};

describe('a planner over /api/v2', () => {
  it('reaches the daemon by the prefix of an id, and gets its bytes as they are', async () => {
    const { secret } = await relay.plannerToken();
    const step = mine.resource('step');
    const answer = await raw('GET', `/steps/${step}`, secret);
    expect(answer.status).toBe(200);
    expect(answer.text).toBe(JSON.stringify({ operation: 'get_step', input: { step_id: step }, big: '12345678901234567890' }));
    const asked = connector.requests.at(-1)!;
    expect(asked).toMatchObject({
      operation: 'get_step',
      instance_id: mine.id,
      authority: 'relay_asserted',
      principal: { id: 'planner:planner', name: 'planner' },
    });
  });

  it('lists and reaches only the instances of its token; foreign and missing ids answer alike', async () => {
    const { client, secret } = await relay.plannerToken({ instances: [mine.id] });
    expect((await client.call('list_instances', {})).items.map(({ id }) => id)).toEqual([mine.id]);
    const strip = (text: string) => ({ ...(JSON.parse(text) as object), request_id: '' });
    const foreign = await raw('GET', `/steps/${other.resource('step')}`, secret);
    const missing = await raw('GET', `/steps/${testInstance().resource('step')}`, secret);
    const atDaemon = await raw('GET', `/runs/${mine.resource('run')}`, secret);
    expect(foreign.status).toBe(404);
    expect(strip(foreign.text)).toEqual(strip(missing.text));
    expect(strip(foreign.text)).toEqual(strip(atDaemon.text));
    const reasons = (await relay.audit({ action: 'get_step', outcome: 'not_found' })).map(({ detail }) => detail['reason']);
    expect(reasons).toEqual(['missing', 'foreign']);
    // The prefix alone is not enough for an instance id.
    expect(await codeOf(client.call('get_instance', { instance_id: `${mine.id.slice(0, -1)}${mine.id.endsWith('a') ? 'b' : 'a'}` }))).toBe(
      'not_found',
    );
  });

  it('refuses without the scope, without a token and with the admin token, and audits each', async () => {
    const { client } = await relay.plannerToken({ scopes: ['runs:read'] });
    expect(await codeOf(client.call('get_step', { step_id: mine.resource('step') }))).toBe('scope_denied');
    expect(await codeOf(client.call('list_instances', {}))).toBe('scope_denied');
    expect(await codeOf(relay.client('flp_nobody').call('list_instances', {}))).toBe('unauthenticated');
    expect(await codeOf(relay.admin.call('list_instances', {}))).toBe('scope_denied');
    expect(await codeOf(client.call('relay_status', {}))).toBe('scope_denied');
    expect((await relay.audit({ outcome: 'scope_denied' })).length).toBe(4);
    expect((await relay.audit({ outcome: 'unauthenticated' })).length).toBe(1);
    expect(await codeOf(relay.plannerToken({ scopes: ['admin:write'] }))).toBe('invalid_input');
  });

  it('asks who calls before it reads a body', async () => {
    const answer = await raw('POST', `/instances/${mine.id}/runs`, 'flp_nobody', {}, '{"broken');
    expect([answer.status, (JSON.parse(answer.text) as { code: string }).code]).toEqual([401, 'unauthenticated']);
    expect((await raw('POST', '/admin/planner-tokens', 'fla_nobody', {}, '{"broken')).status).toBe(401);
  });

  it('has every refusal in its audit, also of what never reached a handler', async () => {
    const { secret, id } = await relay.admin.call('create_planner_token', { name: 'p' });
    const rows = async (outcome: string) =>
      (await relay.admin.call('list_audit', { outcome, limit: 100 })).items.map(({ actor, action }) => `${actor} ${action}`);
    await raw('POST', `/instances/${mine.id}/runs`, secret, {}, '{"broken');
    expect(await rows('malformed_json')).toContain(`${id} start_run`);
    await raw('POST', `/instances/${mine.id}/runs`, secret, { 'idempotency-key': 'two words' }, '{}');
    expect(await rows('invalid_input')).toContain(`${id} start_run`);
    await codeOf(relay.admin.call('create_planner_token', { name: 'line\nfeed' }));
    expect(await rows('invalid_input')).toContain('admin create_planner_token');
    expect((await raw('POST', '/enroll', 'x', {}, '{"secret":"short"}')).status).toBe(400);
    expect(await rows('invalid_input')).toContain('anonymous enroll');
    expect((await raw('GET', '/nowhere', secret)).status).toBe(404);
    expect(await rows('not_found')).toContain('anonymous http');
  });

  it('is in the audit newest first, as many rows as asked for, page after page without holes', async () => {
    const { client } = await relay.plannerToken({ name: 'counted' });
    const runs = Array.from({ length: 5 }, () => mine.resource('run'));
    for (const run_id of runs) await client.call('cancel_run', { run_id });
    const seen: (string | null)[] = [];
    for (let page: string | undefined; ;) {
      const list = await relay.admin.call('list_audit', { action: 'cancel_run', limit: 2, ...(page !== undefined && { page }) });
      expect(list.items.length).toBeLessThanOrEqual(2);
      seen.push(...list.items.map(({ resource_id }) => resource_id));
      if (list.next_page === null) break;
      page = list.next_page;
    }
    expect(seen).toEqual(runs.toReversed());
  });

  it('makes a key for a write without one, returns it, and passes a given one on', async () => {
    const { secret } = await relay.plannerToken();
    const path = `/instances/${mine.id}/runs`;
    const made = await raw('POST', path, secret, {}, '{}');
    const key = made.headers['idempotency-key'];
    expect(key).toMatch(/^relay-/);
    expect(connector.requests.at(-1)!.idempotency_key).toBe(key);
    const given = await raw('POST', path, secret, { 'idempotency-key': 'mine-1' }, '{}');
    expect(given.headers['idempotency-key']).toBe('mine-1');
    expect(connector.requests.at(-1)!.idempotency_key).toBe('mine-1');
    const [entry] = await relay.audit({ action: 'start_run' });
    const digest = expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string;
    expect(entry).toMatchObject({ outcome: 'ok', address: '127.0.0.1', detail: { idempotency_key: 'mine-1', input_digest: digest } });
    const other = await raw('POST', path, secret, {}, '{"title":"Another"}');
    expect(other.status).toBe(200);
    const [last, before] = await relay.audit({ action: 'start_run', limit: 2 });
    expect(last!.detail['input_digest']).not.toBe(before!.detail['input_digest']);
    expect((await raw('POST', path, secret, {}, '{"a":1,"a":2}')).text).toContain('malformed_json');
  });

  it('ends a wait and a stream within a second when their token is revoked', async () => {
    const waiting = await relay.plannerToken();
    const wait = codeOf(waiting.client.call('wait_step', { step_id: mine.resource('step') }));
    const bytes = await waiting.client.stream('list_events', { instance_id: mine.id }, { accept: 'text/event-stream' });
    const iterator = bytes[Symbol.asyncIterator]();
    expect(Buffer.from((await iterator.next()).value as Uint8Array).toString()).toBe('data: 1\n\n');
    const rest = iterator.next().then(
      () => 'more',
      () => 'broken',
    );
    const before = performance.now();
    await relay.admin.call('revoke_planner_token', { token_id: waiting.id });
    expect(await wait).toBe('unauthenticated');
    expect(await rest).toBe('broken');
    expect(performance.now() - before).toBeLessThan(1000);
    expect(await codeOf(waiting.client.call('list_instances', {}))).toBe('unauthenticated');
  });

  it('ends a wait when its token expires', async () => {
    const waiting = await relay.plannerToken({ expires_ms: 300 });
    expect(await codeOf(waiting.client.call('wait_step', { step_id: mine.resource('step') }))).toBe('unauthenticated');
  });

  it('cancels the wait on the machine when the caller hangs up', async () => {
    const { secret } = await relay.plannerToken();
    const before = (await relay.admin.call('relay_status', {})).pending;
    const call = request(`${relay.url}/api/v2/steps/${mine.resource('step')}/wait`, { headers: { authorization: `Bearer ${secret}` } });
    call.on('error', () => {});
    call.end();
    const pending = async () => (await relay.admin.call('relay_status', {})).pending;
    await until(async () => (await pending()) === before + 1);
    call.destroy();
    await until(async () => (await pending()) === before);
  });

  it('serves bytes as a stream, as an attachment, under a policy that runs nothing', async () => {
    const { secret } = await relay.plannerToken();
    const answer = await requestRaw({
      method: 'GET',
      url: `${relay.url}/api/v2/artifacts/${mine.resource('art')}/content`,
      headers: { authorization: `Bearer ${secret}` },
    });
    expect(answer.headers).toMatchObject({
      'content-disposition': 'attachment',
      'content-length': '10000000',
      'x-content-type-options': 'nosniff',
    });
    expect(answer.headers['content-security-policy']).toContain('sandbox');
    expect((await readAll(answer.body)).length).toBe(10_000_000);
  });

  it('limits the rate of one token and says when to come back', async () => {
    const slow = await testRelay({ planner_rate: 2 });
    const { client, secret } = await slow.plannerToken();
    await client.call('list_instances', {});
    await client.call('list_instances', {});
    expect(await codeOf(client.call('list_instances', {}))).toBe('rate_limited');
    const answer = await requestRaw({ method: 'GET', url: `${slow.url}/api/v2/instances`, headers: { authorization: `Bearer ${secret}` } });
    await readAll(answer.body);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(1);
    expect((await slow.audit({ outcome: 'rate_limited' })).length).toBe(1);
    await slow.end();
  });

  it('answers what a broken line means: outcome_unknown with the key for a write, connector_offline for reads', async () => {
    const { secret, client } = await relay.plannerToken();
    const lost = await raw('POST', `/steps/${mine.resource('step')}/cancel`, secret, {}, '{}');
    expect(lost.status).toBe(504);
    expect(JSON.parse(lost.text)).toMatchObject({ code: 'outcome_unknown', idempotency_key: lost.headers['idempotency-key'] });
    expect((await relay.audit({ action: 'cancel_step' }))[0]).toMatchObject({ outcome: 'outcome_unknown' });
    expect(await codeOf(client.call('get_step', { step_id: mine.resource('step') }))).toBe('connector_offline');
    expect((await client.call('list_instances', {})).items.every(({ online }) => !online)).toBe(true);
  });
});
