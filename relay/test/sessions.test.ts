import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { systemClock } from '@fairlead/shared/kit/clock';
import { generateKey } from '@fairlead/shared/kit/signature';
import { SUBPROTOCOL } from '@fairlead/shared/wire/frames';
import { greetRelay } from '@fairlead/shared/wire/greeting';
import { makeEnrollmentProof } from '@fairlead/shared/wire/handshake';
import { dialRelay } from '@fairlead/shared/wire/ws-transport';
import { codeOf, enroll, testConnector, testInstance, testRelay, until, type TestRelay } from './rig.ts';

let relay: TestRelay;
beforeAll(async () => {
  relay = await testRelay();
});
afterAll(() => relay.end());

describe('enrolment', () => {
  const request = async (about: { secret?: string; origin?: string; key?: ReturnType<typeof generateKey> } = {}) => {
    const secret = about.secret ?? (await relay.admin.call('create_enrollment_token', {})).secret;
    const key = about.key ?? generateKey();
    const proof = makeEnrollmentProof({ secret, key: key.publicKey, label: 'm', origin: about.origin ?? relay.origin }, key.privateKey);
    return { secret, key: key.publicKey, label: 'm', proof };
  };
  const enrolled = (input: Awaited<ReturnType<typeof request>>) => relay.client('none').call('enroll', input);

  it('takes a token once, and answers the same again to the same key', async () => {
    const input = await request();
    const first = await enrolled(input);
    expect(first).toMatchObject({ relay_key: relay.key, relay_origin: relay.origin });
    expect(await enrolled(input)).toEqual(first);
    expect(await codeOf(enrolled(await request({ secret: input.secret })))).toBe('enrollment_invalid');
  });

  it('refuses a proof for another relay, a forged proof, an unknown, a revoked and an expired token, and a key that is known', async () => {
    expect(await codeOf(enrolled(await request({ origin: 'https://other.example' })))).toBe('enrollment_invalid');
    expect(await codeOf(enrolled({ ...(await request()), key: generateKey().publicKey }))).toBe('enrollment_invalid');
    expect(await codeOf(enrolled(await request({ secret: 'fle_nobody_has_ever_made_this' })))).toBe('enrollment_invalid');
    const { id, secret } = await relay.admin.call('create_enrollment_token', {});
    await relay.admin.call('revoke_enrollment_token', { enrollment_token_id: id });
    expect(await codeOf(enrolled(await request({ secret })))).toBe('enrollment_invalid');
    const short = await relay.admin.call('create_enrollment_token', { expires_ms: 1 });
    await systemClock.sleep(5);
    expect(await codeOf(enrolled(await request({ secret: short.secret })))).toBe('enrollment_invalid');
    const { key } = await enroll(relay);
    expect(await codeOf(enrolled(await request({ key })))).toBe('enrollment_invalid');
    expect((await relay.audit({ action: 'enroll', outcome: 'enrollment_invalid' })).length).toBeGreaterThanOrEqual(6);
  });
});

describe('a session', () => {
  it('is refused to an unknown connector, a wrong key and a disabled one', async () => {
    const greet = async (id: string, key: ReturnType<typeof generateKey>) =>
      codeOf(
        greetRelay(await dialRelay(relay.url, systemClock), {
          clock: systemClock,
          connectorId: id,
          key,
          dialledOrigin: relay.origin,
          pinnedRelayKey: relay.key,
        }),
      );
    const { id, key } = await enroll(relay);
    expect(await greet('con_0190a0b0-0000-7000-8000-000000000000', key)).toBe('handshake_failed');
    expect(await greet(id, generateKey())).toBe('handshake_failed');
    await relay.admin.call('set_connector_state', { connector_id: id, state: 'disabled' });
    expect(await greet(id, key)).toBe('connector_disabled');
    await until(async () => (await relay.audit({ action: 'handshake' })).length >= 3);
  });

  it('is refused to a request with an Origin', async () => {
    const socket = new WebSocket(`${relay.url.replace('http', 'ws')}/connect`, [SUBPROTOCOL], { origin: relay.origin });
    const status = await new Promise((resolve) => {
      socket.on('unexpected-response', (_, response) => resolve(response.statusCode));
      socket.on('error', () => {});
    });
    expect(status).toBe(403);
    socket.terminate();
  });

  it('is replaced by a newer one of the same connector, and told so', async () => {
    const identity = await enroll(relay);
    const first = await testConnector(relay, undefined, identity);
    const instance = testInstance();
    await first.advertise(first.descriptor(instance));
    const second = await testConnector(relay, undefined, identity);
    expect(await first.ended).toMatchObject({ code: 'session_replaced' });
    await second.advertise(second.descriptor(instance));
    const { client } = await relay.plannerToken();
    await client.call('get_instance', { instance_id: instance.id });
    expect(second.requests.length).toBe(1);
    expect((await relay.admin.call('list_connectors', {})).items.find(({ id }) => id === identity.id)).toMatchObject({
      online: true,
      instances: [instance.id],
    });
  });

  it.each(['disabled', 'revoked'] as const)('is closed at once when its connector is %s, with what waits on it', async (state) => {
    const connector = await testConnector(relay, async (_, { signal }) => {
      await systemClock.sleep(20_000, signal);
      throw new Error('unreachable');
    });
    const instance = testInstance();
    await connector.advertise(connector.descriptor(instance));
    const { client } = await relay.plannerToken();
    const wait = codeOf(client.call('wait_step', { step_id: instance.resource('step') }));
    await until(() => connector.requests.length === 1);
    await relay.admin.call('set_connector_state', { connector_id: connector.id, state });
    expect(await connector.ended).toMatchObject({ code: 'connector_disabled' });
    expect(await wait).toBe('connector_offline');
    const there = (await client.call('list_instances', {})).items.find(({ id }) => id === instance.id);
    expect(there?.online).toBe(state === 'disabled' ? false : undefined);
    if (state === 'revoked')
      expect(await codeOf(relay.admin.call('set_connector_state', { connector_id: connector.id, state: 'enabled' }))).toBe(
        'transition_refused',
      );
  });
});

it('a relay that ends asks its connectors back over the longer, the more they are', async () => {
  const ending = await testRelay();
  const crowd = await Promise.all(Array.from({ length: 5 }, () => testConnector(ending)));
  await ending.end();
  const ends = await Promise.all(crowd.map(({ ended }) => ended));
  expect(ends).toEqual(Array(5).fill(expect.objectContaining({ code: 'draining', spread: 5 * LIMITS.restart_pace.value })));
});

it('a connector that was renamed is listed by its new label, stays online, and the audit says who did it', async () => {
  const connector = await testConnector(relay);
  const renamed = await relay.admin.call('rename_connector', { connector_id: connector.id, label: 'workbench' });
  expect(renamed).toMatchObject({ id: connector.id, label: 'workbench', online: true });
  expect(await codeOf(relay.admin.call('rename_connector', { connector_id: connector.id, label: 'two\nlines' }))).toBe('invalid_input');
  expect((await relay.admin.call('list_connectors', {})).items.find(({ id }) => id === connector.id)?.label).toBe('workbench');
  expect((await relay.audit({ action: 'rename_connector' })).map(({ actor, outcome }) => [actor, outcome])).toContainEqual(['admin', 'ok']);
});

describe('an advertise', () => {
  const tell = (result: { refused: { code: string }[] }) => result.refused.map(({ code }) => code);

  it('is refused where the delegation is forged or meant for another connector, relay or instance', async () => {
    const connector = await testConnector(relay);
    const instance = testInstance();
    const good = connector.descriptor(instance);
    const foreign = testInstance();
    const flip = (payload: string) =>
      Buffer.from(Buffer.from(payload, 'base64').toString().replace('"sequence":1', '"sequence":9')).toString('base64');
    const forged = {
      ...good,
      delegation: { ...good.delegation, delegation: { ...good.delegation.delegation, payload: flip(good.delegation.delegation.payload) } },
    };
    const answer = await connector.advertise(
      forged,
      connector.descriptor(testInstance(), { connector_key: generateKey().publicKey }),
      connector.descriptor(testInstance(), { relay_key: generateKey().publicKey }),
      { ...good, instance_id: foreign.id },
      connector.descriptor(testInstance(), { not_after: '2020-01-01T00:00:00.000Z' }),
      connector.descriptor(testInstance(), { root_key: generateKey().publicKey }),
    );
    expect(answer.accepted).toEqual([]);
    expect(new Set(tell(answer))).toEqual(new Set(['delegation_invalid']));
    expect(answer.refused.length).toBe(6);
    await until(async () => (await relay.audit({ action: 'advertise', outcome: 'delegation_invalid' })).length >= 6);
  });

  it('that was captured serves no other connector and no other relay', async () => {
    const victim = await testConnector(relay);
    const instance = testInstance();
    const captured = victim.descriptor(instance);
    await victim.advertise(captured);
    const thief = await testConnector(relay);
    expect(tell(await thief.advertise(captured))).toEqual(['delegation_invalid']);
    const elsewhere = await testRelay();
    const there = await testConnector(elsewhere, undefined, await enroll(elsewhere, victim.key));
    expect(tell(await there.advertise(captured))).toEqual(['delegation_invalid']);
    await until(async () => (await elsewhere.audit({ action: 'advertise', outcome: 'delegation_invalid' })).length === 1);
    await elsewhere.end();
    const { client } = await relay.plannerToken();
    await client.call('get_instance', { instance_id: instance.id });
    expect([victim.requests.length, thief.requests.length]).toEqual([1, 0]);
  });

  it('that was verified is verified again when its time is over, a word of it differs, or a newer one was seen', async () => {
    const connector = await testConnector(relay);
    const [brief, doctored, newer] = [testInstance(), testInstance(), testInstance()];
    const ends = Date.now() + 1500;
    const first = connector.descriptor(brief, { not_after: new Date(ends).toISOString() });
    const second = connector.descriptor(doctored);
    const old = connector.descriptor(newer);
    const all = [brief.id, doctored.id, newer.id].sort();
    expect((await connector.advertise(first, second, old)).accepted.toSorted()).toEqual(all);
    expect((await connector.advertise(first, second, old)).accepted.toSorted()).toEqual(all);
    const { delegation } = second;
    const sig = Buffer.alloc(64).toString('base64');
    const unsigned = {
      ...delegation,
      delegation: { ...delegation.delegation, signatures: [{ ...delegation.delegation.signatures[0]!, sig }] },
    };
    expect(tell(await connector.advertise({ ...second, delegation: unsigned }))).toEqual(['delegation_invalid']);
    expect((await connector.advertise(second, connector.descriptor(newer, { sequence: 2 }))).refused).toEqual([]);
    expect(tell(await connector.advertise(old))).toEqual(['instance_moved']);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, ends - Date.now()) + 5));
    expect(tell(await connector.advertise(first))).toEqual(['delegation_invalid']);
  });

  it('moves an instance to the higher sequence, tells the loser, and does not let an old one back', async () => {
    const [left, right] = [await testConnector(relay), await testConnector(relay)];
    const instance = testInstance();
    await left.advertise(left.descriptor(instance, { sequence: 2 }));
    expect(tell(await right.advertise(right.descriptor(instance, { sequence: 2 })))).toEqual(['instance_moved']);
    expect((await right.advertise(right.descriptor(instance, { sequence: 3 }))).accepted).toEqual([instance.id]);
    expect(await left.told()).toMatchObject({ accepted: [], refused: [{ instance_id: instance.id, code: 'instance_moved' }] });
    expect(tell(await left.advertise(left.descriptor(instance, { sequence: 2 })))).toEqual(['instance_moved']);
    const { client } = await relay.plannerToken();
    await client.call('get_instance', { instance_id: instance.id });
    expect(right.requests.length).toBe(1);
  });

  it('is the authoritative full set: what is missing is withdrawn, and comes back when it is named again', async () => {
    const connector = await testConnector(relay);
    const [one, two] = [testInstance(), testInstance()];
    const { client } = await relay.plannerToken({ instances: [one.id, two.id] });
    const seen = async () => (await client.call('list_instances', {})).items.map(({ id }) => id);
    await connector.advertise(connector.descriptor(one), connector.descriptor(two));
    expect(await seen()).toEqual([one.id, two.id].sort());
    await connector.advertise(connector.descriptor(two));
    expect(await seen()).toEqual([two.id]);
    expect(await codeOf(client.call('get_instance', { instance_id: one.id }))).toBe('not_found');
    await connector.advertise(connector.descriptor(one), connector.descriptor(two));
    expect((await seen()).length).toBe(2);
  });
});
