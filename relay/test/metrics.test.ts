import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requestRaw, readAll } from '@fairlead/shared/kit/http-client';
import { codeOf, testConnector, testInstance, testRelay, type TestRelay } from './rig.ts';

let relay: TestRelay;
beforeAll(async () => {
  relay = await testRelay();
});
afterAll(() => relay.end());

const scrape = async (token: string) => {
  const { status, headers, body } = await requestRaw({
    method: 'GET',
    url: `${relay.url}/metrics`,
    headers: { authorization: `Bearer ${token}` },
  });
  return { status, type: headers['content-type'], text: (await readAll(body)).toString('utf8') };
};

/** The text format as its grammar has it: comments, and samples of a name, labels and a number. */
const samplesOf = (text: string): Map<string, number> => {
  const samples = new Map<string, number>();
  for (const line of text.split('\n').filter((one) => one !== '' && !/^# (HELP|TYPE) /.test(one))) {
    const match = /^([a-zA-Z_:][\w:]*(?:\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*\})?) (-?[\d.e+-]+|Nan|[+-]Inf)$/.exec(line);
    expect(match, line).not.toBeNull();
    samples.set(match![1]!, Number(match![2]));
  }
  return samples;
};

describe('GET /metrics of the relay', () => {
  it('is for the admin token alone, and refusals are in the audit', async () => {
    const planner = await relay.plannerToken();
    expect((await scrape('nonsense')).status).toBe(401);
    expect((await scrape(planner.secret)).status).toBe(403);
    expect((await relay.audit({ action: 'metrics' })).map(({ outcome }) => outcome).toSorted()).toEqual([
      'scope_denied',
      'unauthenticated',
    ]);
  });

  it('counts what was asked by operation and outcome, and names nobody', async () => {
    const connector = await testConnector(relay);
    const instance = testInstance();
    await connector.advertise(connector.descriptor(instance));
    const { client, secret } = await relay.plannerToken({ name: 'somebody' });
    await client.call('get_instance', { instance_id: instance.id });
    await client.call('get_instance', { instance_id: instance.id });
    await client.call('start_run', { instance_id: instance.id });
    expect(await codeOf(client.call('get_step', { step_id: testInstance().resource('step') }))).toBe('not_found');
    const { status, type, text } = await scrape(relay.adminToken);
    expect([status, type]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    const samples = samplesOf(text);
    const asked = (operation: string, outcome: string) =>
      samples.get(`fairlead_relay_requests_total{operation="${operation}",outcome="${outcome}"}`);
    expect([asked('get_instance', 'ok'), asked('start_run', 'ok'), asked('get_step', 'not_found')]).toEqual([2, 1, 1]);
    expect(samples.get('fairlead_relay_connectors{state="enabled"}')).toBe(1);
    expect([samples.get('fairlead_relay_connectors_online'), samples.get('fairlead_relay_instances')]).toEqual([1, 1]);
    expect(samples.get('process_resident_memory_bytes')).toBeGreaterThan(0);
    for (const name of [instance.id, connector.id, secret, 'somebody']) expect(text).not.toContain(name);
    expect(
      samplesOf((await scrape(relay.adminToken)).text).get('fairlead_relay_requests_total{operation="get_instance",outcome="ok"}'),
    ).toBe(2);
  });
});
