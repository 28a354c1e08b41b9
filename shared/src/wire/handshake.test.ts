import { sign as nobleSign, verify as nobleVerify, hashes } from '@noble/ed25519';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../contract/error-table.ts';
import { FairleadError } from '../contract/errors.ts';
import { newRelayId } from '../contract/ids.ts';
import { canonicalJson } from '../contract/json.ts';
import { LIMITS } from '../contract/limits.ts';
import { manualClock, systemClock } from '../kit/clock.ts';
import { generateKey, pae } from '../kit/signature.ts';
import { greetConnector, greetRelay, type KnownConnector } from './greeting.ts';
import {
  answerChallenge,
  checkProof,
  checkWelcome,
  chooseProtocol,
  enrollmentProofHolds,
  makeChallenge,
  makeEnrollmentProof,
  makeWelcome,
} from './handshake.ts';
import { memoryPair } from './memory-pair.ts';

hashes.sha512 = (message) => createHash('sha512').update(message).digest();

const ORIGIN = 'https://relay.example';
const relayKey = generateKey();
const connectorKey = generateKey();
const connectorId = newRelayId('con');
const self = { connectorId, key: connectorKey, dialledOrigin: ORIGIN, pinnedRelayKey: relayKey.publicKey };
const challengeOf = () => makeChallenge({ origin: ORIGIN, publicKey: relayKey.publicKey });

const codeIn = (run: () => unknown): ErrorCode | 'none' => {
  try {
    run();
    return 'none';
  } catch (error) {
    return (error as FairleadError).code;
  }
};
const codeOf = (promise: Promise<unknown>): Promise<ErrorCode | 'none'> =>
  promise.then(
    () => 'none' as const,
    (error: unknown) => (error as FairleadError).code,
  );

describe('the documents', () => {
  it('prove both sides to each other', () => {
    const challenge = challengeOf();
    const prove = answerChallenge(challenge, self);
    checkProof(challenge, prove, connectorKey.publicKey);
    checkWelcome(challenge, prove, makeWelcome(challenge, prove, relayKey, 'ses_1'), relayKey.publicKey);
  });

  it('are signed in a way that another implementation verifies', () => {
    const challenge = challengeOf();
    const prove = answerChallenge(challenge, self);
    const document = {
      direction: 'connector-to-relay',
      relay_nonce: challenge.nonce,
      connector_nonce: prove.nonce,
      origin: ORIGIN,
      relay_key: relayKey.publicKey,
      connector_id: connectorId,
      protocol: 1,
    };
    const bytes = pae('fairlead.wire.prove.v1', Buffer.from(canonicalJson(document)));
    expect(nobleVerify(Buffer.from(prove.signature, 'base64url'), bytes, Buffer.from(connectorKey.publicKey, 'base64url'))).toBe(true);
    expect(Buffer.from(nobleSign(bytes, Buffer.from(connectorKey.privateKey, 'base64url'))).toString('base64url')).toBe(prove.signature);
  });

  it('a connector refuses another origin, byte for byte, and another key', () => {
    for (const origin of [`${ORIGIN}/`, 'https://relay.example:443', 'https://Relay.example', 'https://evil.example']) {
      expect(
        codeIn(() => answerChallenge({ ...challengeOf(), origin }, self)),
        origin,
      ).toBe('relay_untrusted');
    }
    expect(codeIn(() => answerChallenge(makeChallenge({ origin: ORIGIN, publicKey: generateKey().publicKey }), self))).toBe(
      'relay_untrusted',
    );
  });

  it('a relay in the middle gains nothing: a proof holds for its own challenge, origin, key and connector alone', () => {
    const challenge = challengeOf();
    const prove = answerChallenge(challenge, self);
    const holds = (otherChallenge: Partial<typeof challenge>, otherProve: Partial<typeof prove>, key = connectorKey.publicKey) =>
      codeIn(() => checkProof({ ...challenge, ...otherChallenge }, { ...prove, ...otherProve }, key));
    expect(holds({}, {})).toBe('none');
    expect(holds({ nonce: challengeOf().nonce }, {})).toBe('handshake_failed');
    expect(holds({ origin: 'https://evil.example' }, {})).toBe('handshake_failed');
    expect(holds({ relay_key: generateKey().publicKey }, {})).toBe('handshake_failed');
    expect(holds({}, { connector_id: newRelayId('con') })).toBe('handshake_failed');
    expect(holds({}, { nonce: challengeOf().nonce })).toBe('handshake_failed');
    expect(holds({}, {}, generateKey().publicKey)).toBe('handshake_failed');
    expect(holds({}, { protocol: 2 })).toBe('protocol_unsupported');
  });

  it('a welcome holds for its own session alone, and cannot be made from the proof', () => {
    const challenge = challengeOf();
    const prove = answerChallenge(challenge, self);
    const welcome = makeWelcome(challenge, prove, relayKey, 'ses_1');
    const holds = (other: Partial<typeof welcome>) =>
      codeIn(() => checkWelcome(challenge, prove, { ...welcome, ...other }, relayKey.publicKey));
    expect(holds({})).toBe('none');
    expect(holds({ session_id: 'ses_2' })).toBe('relay_untrusted');
    expect(holds({ heartbeat_ms: 1 })).toBe('relay_untrusted');
    expect(holds({ signature: prove.signature })).toBe('relay_untrusted');
    expect(codeIn(() => checkWelcome(challenge, answerChallenge(challenge, self), welcome, relayKey.publicKey))).toBe('relay_untrusted');
  });

  it('choose the highest protocol that both speak', () => {
    expect(chooseProtocol({ min: 1, max: 9 })).toBe(1);
    expect(codeIn(() => chooseProtocol({ min: 2, max: 9 }))).toBe('protocol_unsupported');
    expect(codeIn(() => chooseProtocol({ min: 0, max: 0 }))).toBe('protocol_unsupported');
  });

  it('an enrolment proof holds for its token, key, label and relay alone', () => {
    const request = { secret: 'fle_x', key: connectorKey.publicKey, label: 'laptop', origin: ORIGIN };
    const proof = makeEnrollmentProof(request, connectorKey.privateKey);
    expect(enrollmentProofHolds(request, proof)).toBe(true);
    expect(enrollmentProofHolds({ ...request, origin: 'https://evil.example' }, proof)).toBe(false);
    expect(enrollmentProofHolds({ ...request, secret: 'fle_y' }, proof)).toBe(false);
    expect(enrollmentProofHolds({ ...request, label: 'desk' }, proof)).toBe(false);
    expect(enrollmentProofHolds({ ...request, key: relayKey.publicKey }, proof)).toBe(false);
    expect(enrollmentProofHolds(request, 'nonsense')).toBe(false);
  });
});

describe('the greeting', () => {
  const greet = (
    known: KnownConnector | undefined,
    {
      clock = systemClock,
      connector = {},
      relay = {},
    }: { clock?: typeof systemClock; connector?: Partial<typeof self>; relay?: { accept?: () => void } } = {},
  ) => {
    const pair = memoryPair();
    const relaySide = greetConnector(pair.left.transport, { clock, relayKey, origin: ORIGIN, find: () => known, ...relay });
    const connectorSide = greetRelay(pair.right.transport, { clock, ...self, ...connector });
    return { pair, relaySide, connectorSide };
  };
  const enabled: KnownConnector = { key: connectorKey.publicKey, state: 'enabled' };

  it('ends with a session that both know, and hands the line over whole', async () => {
    const { pair, relaySide, connectorSide } = greet(enabled);
    const [greeted, welcome] = await Promise.all([relaySide, connectorSide]);
    expect(greeted).toMatchObject({ connectorId, connectorKey: connectorKey.publicKey, protocol: 1 });
    expect(welcome.session_id).toBe(greeted.sessionId);
    pair.right.transport.sendText('first');
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    const first = await new Promise<string>((resolve) => pair.left.transport.receive((data) => resolve(data.toString())));
    expect(first).toBe('first');
  });

  it('lifts the limit for strangers on both sides', async () => {
    const pair = memoryPair();
    const trusted: string[] = [];
    const side = (name: string, transport: typeof pair.left.transport) => ({ ...transport, trust: () => void trusted.push(name) });
    await Promise.all([
      greetConnector(side('relay', pair.left.transport), { clock: systemClock, relayKey, origin: ORIGIN, find: () => enabled }),
      greetRelay(side('connector', pair.right.transport), { clock: systemClock, ...self }),
    ]);
    expect(trusted).toEqual(['relay', 'connector']);
  });

  it('answers an unknown connector and a wrong key alike, and a disabled one with its state', async () => {
    const refusals: string[] = [];
    for (const known of [
      undefined,
      { key: generateKey().publicKey, state: 'disabled' } as const,
      { ...enabled, state: 'disabled' } as const,
      { ...enabled, state: 'revoked' } as const,
    ]) {
      const { pair, relaySide, connectorSide } = greet(known);
      const codes = await Promise.all([codeOf(relaySide), codeOf(connectorSide)]);
      expect(codes[0]).toBe(codes[1]);
      refusals.push(pair.left.sent.at(-1)!.data.toString());
    }
    expect(refusals[0]).toBe(refusals[1]);
    expect(refusals[2]).toContain('connector_disabled');
    expect(refusals[3]).toBe(refusals[2]);
  });

  it('lets the relay refuse at the last moment', async () => {
    const { relaySide, connectorSide } = greet(enabled, {
      relay: {
        accept: () => {
          throw new FairleadError('draining');
        },
      },
    });
    expect(await Promise.all([codeOf(relaySide), codeOf(connectorSide)])).toEqual(['draining', 'draining']);
  });

  it('a connector walks away from a relay that it does not know', async () => {
    const { relaySide, connectorSide } = greet(enabled, { connector: { pinnedRelayKey: generateKey().publicKey } });
    expect(await codeOf(connectorSide)).toBe('relay_untrusted');
    expect(await codeOf(relaySide)).toBe('handshake_failed');
  });

  it.each([
    ['nothing', undefined],
    ['an advertise before its proof', '{"t":"advertise","instances":[]}'],
    ['an unknown frame', '{"t":"hello"}'],
    ['a proof with a member twice', '{"t":"prove","protocol":1,"protocol":1}'],
  ])('a peer that sends %s is refused within ten seconds', async (_, text) => {
    const clock = manualClock();
    const pair = memoryPair();
    const relaySide = codeOf(greetConnector(pair.left.transport, { clock, relayKey, origin: ORIGIN, find: () => enabled }));
    if (text !== undefined) pair.right.transport.sendText(text);
    await clock.advance(LIMITS.handshake.value);
    expect(await relaySide).not.toBe('none');
    expect(pair.left.sent.at(-1)!.data.toString()).toContain('"t":"refuse"');
  });

  it('a relay that says nothing is left after ten seconds, a line that breaks at once', async () => {
    const clock = manualClock();
    const silent = codeOf(greetRelay(memoryPair().right.transport, { clock, ...self }));
    await clock.advance(LIMITS.handshake.value);
    expect(await silent).toBe('handshake_failed');
    const pair = memoryPair();
    const broken = codeOf(greetRelay(pair.right.transport, { clock, ...self }));
    pair.cut();
    expect(await broken).toBe('handshake_failed');
  });

  it('a slow look-up does not outlive the deadline', async () => {
    const clock = manualClock();
    const pair = memoryPair();
    let found: (known: KnownConnector) => void = () => {};
    const relaySide = codeOf(
      greetConnector(pair.left.transport, { clock, relayKey, origin: ORIGIN, find: () => new Promise((resolve) => (found = resolve)) }),
    );
    const connectorSide = codeOf(greetRelay(pair.right.transport, { clock: systemClock, ...self }));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await clock.advance(LIMITS.handshake.value);
    found(enabled);
    expect(await relaySide).toBe('handshake_failed');
    expect(await connectorSide).toBe('handshake_failed');
  });
});
