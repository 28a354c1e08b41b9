import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '@fairlead/shared/kit/clock';
import { generateKey, type KeyPair } from '@fairlead/shared/kit/signature';
import { greetRelay } from '@fairlead/shared/wire/greeting';
import { makeUnenrollmentProof, signRotation } from '@fairlead/shared/wire/handshake';
import { dialRelay } from '@fairlead/shared/wire/ws-transport';
import { codeOf, enroll, testConnector, testInstance, testRelay, until, type TestRelay } from './rig.ts';

let relay: TestRelay;
beforeAll(async () => {
  relay = await testRelay();
});
afterAll(() => relay.end());

interface Who {
  readonly id: string;
  readonly key: KeyPair;
}

/** A rotation as an honest connector asks for it, and what a liar changes in it. */
const rotation = ({ id, key }: Who, next: KeyPair, lie: { origin?: string; relay_key?: string; oldBy?: KeyPair; newBy?: KeyPair } = {}) => {
  const { origin = relay.origin, relay_key = relay.key } = lie;
  const request = { connector_id: id, old_key: key.publicKey, new_key: next.publicKey, origin, relay_key };
  return {
    connector_id: id,
    old_key: request.old_key,
    new_key: request.new_key,
    old_proof: signRotation(request, (lie.oldBy ?? key).privateKey),
    new_proof: signRotation(request, (lie.newBy ?? next).privateKey),
  };
};
const rotate = (input: ReturnType<typeof rotation>) => relay.client('none').call('rotate_connector_key', input);

const leaving = ({ id, key }: Who, origin = relay.origin) => ({
  connector_id: id,
  proof: makeUnenrollmentProof({ connector_id: id, key: key.publicKey, origin, relay_key: relay.key }, key.privateKey),
});
const leave = (input: ReturnType<typeof leaving>) => relay.client('none').call('unenroll', input);

const greet = async ({ id, key }: Who) =>
  codeOf(
    greetRelay(await dialRelay(relay.url, systemClock), {
      clock: systemClock,
      connectorId: id,
      key,
      dialledOrigin: relay.origin,
      pinnedRelayKey: relay.key,
    }),
  );

describe('a change of the key of a connector', () => {
  it('ends the session of the old key at once, lets the new one in and the old one never again, and is in the audit', async () => {
    const who = await enroll(relay);
    const live = await testConnector(relay, undefined, who);
    const instance = testInstance();
    await live.advertise(live.descriptor(instance));
    const next = generateKey();
    expect(await rotate(rotation(who, next))).toEqual({ connector_id: who.id, key: next.publicKey });
    expect(await live.ended).toMatchObject({ code: 'key_rotated' });
    expect(await greet(who)).toBe('handshake_failed');
    const after = await testConnector(relay, undefined, { id: who.id, key: next });
    const stale = await after.advertise(live.descriptor(instance, { sequence: 9 }));
    expect(stale.refused).toMatchObject([{ code: 'delegation_invalid' }]);
    expect((await after.advertise(after.descriptor(instance, { sequence: 2 }))).accepted).toEqual([instance.id]);
    await until(async () => (await relay.audit({ action: 'key_rotated' })).some(({ actor }) => actor === who.id));
    expect((await relay.audit({ action: 'rotate_connector_key', outcome: 'ok' })).map((row) => row.resource_id)).toContain(who.id);
  });

  it('answers the same again, as long as that key is the newest, and cannot be replayed after it', async () => {
    const who = await enroll(relay);
    const [second, third] = [generateKey(), generateKey()];
    const first = rotation(who, second);
    const answer = await rotate(first);
    expect(await rotate(first)).toEqual(answer);
    expect((await relay.audit({ action: 'key_rotated' })).filter(({ actor }) => actor === who.id)).toHaveLength(1);
    await rotate(rotation({ ...who, key: second }, third));
    expect(await codeOf(rotate(first))).toBe('signature_invalid');
    expect(await greet({ ...who, key: third })).toBe('ok');
  });

  it('is refused unless both keys signed exactly this, for this relay', async () => {
    const [who, other] = [await enroll(relay), await enroll(relay)];
    const next = generateKey();
    const honest = rotation(who, next);
    const lies = [
      rotation(who, next, { oldBy: generateKey() }),
      rotation(who, next, { newBy: generateKey() }),
      rotation(who, next, { origin: 'https://other.example' }),
      rotation(who, next, { relay_key: generateKey().publicKey }),
      { ...honest, connector_id: other.id },
      { ...honest, new_key: generateKey().publicKey },
      { ...honest, old_proof: honest.new_proof },
      { ...honest, connector_id: 'con_0190a0b0-0000-7000-8000-000000000000' },
      rotation({ ...who, key: generateKey() }, next),
    ];
    for (const lie of lies) expect(await codeOf(rotate(lie))).toBe('signature_invalid');
    expect(await greet(who)).toBe('ok');
  });

  it('takes no key that is or was the key of anybody, also not by enrolment, and nothing from a disabled connector', async () => {
    const [who, other] = [await enroll(relay), await enroll(relay)];
    const next = generateKey();
    await rotate(rotation(who, next));
    const now = { ...who, key: next };
    for (const taken of [other.key, who.key, next]) expect(await codeOf(rotate(rotation(now, taken)))).toBe('invalid_input');
    expect(await codeOf(enroll(relay, who.key))).toBe('enrollment_invalid');
    await relay.admin.call('set_connector_state', { connector_id: who.id, state: 'disabled' });
    expect(await codeOf(rotate(rotation(now, generateKey())))).toBe('connector_disabled');
  });
});

describe('a connector that un-enrols', () => {
  it('is revoked for ever, with its live session and what it shared, and is said to have done it itself', async () => {
    const who = await enroll(relay);
    const live = await testConnector(relay, undefined, who);
    const instance = testInstance();
    await live.advertise(live.descriptor(instance));
    const { client } = await relay.plannerToken();
    expect(await leave(leaving(who))).toEqual({ connector_id: who.id, state: 'revoked' });
    expect(await live.ended).toMatchObject({ code: 'connector_disabled' });
    expect((await client.call('list_instances', {})).items.some(({ id }) => id === instance.id)).toBe(false);
    expect(await leave(leaving(who))).toEqual({ connector_id: who.id, state: 'revoked' });
    expect(await greet(who)).toBe('connector_disabled');
    await until(async () => (await relay.audit({ action: 'unenrolled' })).filter(({ actor }) => actor === who.id).length === 1);
  });

  it('must sign it itself, for this relay', async () => {
    const who = await enroll(relay);
    const lies = [
      leaving({ ...who, key: generateKey() }),
      leaving(who, 'https://other.example'),
      { ...leaving(who), connector_id: 'con_0190a0b0-0000-7000-8000-000000000000' },
      { connector_id: who.id, proof: rotation(who, generateKey()).old_proof },
    ];
    for (const lie of lies) expect(await codeOf(leave(lie))).toBe('signature_invalid');
    expect(await greet(who)).toBe('ok');
  });
});
