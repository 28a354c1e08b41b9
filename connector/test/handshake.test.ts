import { generateKey, type KeyPair } from '@fairlead/shared/kit/signature';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { systemClock } from '@fairlead/shared/kit/clock';
import { mintSecret } from '@fairlead/shared/kit/secret';
import { encodeFrame } from '@fairlead/shared/wire/codec';
import { dialRelay } from '@fairlead/shared/wire/ws-transport';
import type { Challenge, Prove } from '@fairlead/shared/wire/frames';
import { makeChallenge, makeWelcome } from '@fairlead/shared/wire/handshake';
import type { Transport } from '@fairlead/shared/wire/transport';
import { readFile, writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { enroll } from '../src/enrollment/enroll.ts';
import { filesIn } from '../src/config/files.ts';
import { askFor, relayDouble, type RelayDouble } from './relay-double.ts';
import { stand, until, type Stand } from './stand.ts';

let here: Stand;
const others: RelayDouble[] = [];
afterEach(async () => {
  await here.close();
  for (const relay of others.splice(0)) await relay.close();
});

const another = async (options: Parameters<typeof relayDouble>[0]): Promise<RelayDouble> => {
  const relay = await relayDouble(options);
  others.push(relay);
  return relay;
};

/** Points the enrolled connector at another address, as an attacker on the way would, and runs it. */
const dialInstead = async (relay: RelayDouble, pinned: { origin?: string; relay_key?: string } = {}) => {
  const about = JSON.parse(await readFile(here.files.identity, 'utf8')) as Record<string, unknown>;
  await writeFile(here.files.identity, JSON.stringify({ ...about, relay: relay.origin, ...pinned }));
  await here.run();
};

const lastError = () => until(() => here.history.find(({ last_error }) => last_error !== null)?.last_error ?? undefined);
const proofsSeenBy = async (transport: Transport): Promise<Prove> =>
  new Promise((resolve) => transport.receive((data) => resolve(JSON.parse(data.toString()) as Prove)));

describe('a relay that is not the one', () => {
  it('is refused when it calls itself something else than what was dialled, before anything is proved', async () => {
    here = await stand();
    let heard = 0;
    const liar = await another({
      onTransport: (transport) => {
        transport.receive(() => (heard += 1));
        transport.sendText(encodeFrame(makeChallenge({ origin: 'https://relay.example', publicKey: here.relay.key.publicKey })));
      },
    });
    await dialInstead(liar, { origin: liar.origin });
    expect(await lastError()).toMatchObject({ code: 'relay_untrusted' });
    expect(heard).toBe(0);
  });

  it('is refused when its key is not the pinned one', async () => {
    here = await stand();
    const impostor = await another({ key: generateKey() });
    await dialInstead(impostor, { origin: impostor.origin });
    expect(await lastError()).toMatchObject({ code: 'relay_untrusted' });
    expect(impostor.sessions).toHaveLength(0);
  });

  it('is refused when it names the pinned key but cannot sign with it', async () => {
    here = await stand();
    const thief = await another({
      onTransport: (transport) => {
        const challenge = makeChallenge({ origin: thief.origin, publicKey: here.relay.key.publicKey });
        transport.sendText(encodeFrame(challenge));
        void proofsSeenBy(transport).then((prove) =>
          transport.sendText(encodeFrame(makeWelcome(challenge, prove, generateKey(), 'ses_x'))),
        );
      },
    });
    await dialInstead(thief, { origin: thief.origin });
    expect(await lastError()).toMatchObject({ code: 'relay_untrusted' });
    expect(here.history.some(({ state }) => state === 'connected')).toBe(false);
  });

  it('cannot pass the proof on to the real relay from the middle', async () => {
    here = await stand();
    // The one in the middle dials the real relay and gives each side the frames of the other.
    const middle = await another({
      onTransport: (near) => {
        void (async () => {
          const far = await dialRelay(here.relay.origin, systemClock);
          near.receive((data) => far.sendText(data));
          far.receive((data) => near.sendText(data));
          far.onEnd(() => near.destroy());
          near.onEnd(() => far.destroy());
        })();
      },
    });
    await dialInstead(middle, { origin: middle.origin });
    expect(await lastError()).toMatchObject({ code: 'relay_untrusted' });
    expect(here.relay.sessions).toHaveLength(0);
  });

  it('cannot use a proof for another relay that it lied about the origin of', async () => {
    here = await stand();
    // It even passes the real relay's nonce on, under its own origin: the signature then covers that origin, and the real relay refuses it.
    const middle = await another({
      key: here.relay.key,
      onTransport: (near) => {
        void (async () => {
          const far = await dialRelay(here.relay.origin, systemClock);
          far.receive((data) => {
            const frame = JSON.parse(data.toString()) as Challenge;
            near.sendText(frame.t === 'challenge' ? encodeFrame({ ...frame, origin: middle.origin }) : data);
          });
          near.receive((data) => far.sendText(data));
        })();
      },
    });
    await dialInstead(middle, { origin: middle.origin });
    expect(await lastError()).toMatchObject({ code: 'handshake_failed' });
    expect(here.relay.sessions).toHaveLength(0);
    expect(here.relay.failures.at(-1)).toMatchObject({ code: 'handshake_failed' });
  });

  it('gets a proof that is good for its own challenge only', async () => {
    here = await stand();
    const proofs: Prove[] = [];
    const recorder = await another({
      key: here.relay.key,
      onTransport: (transport) => {
        transport.sendText(encodeFrame(makeChallenge({ origin: here.relay.origin, publicKey: here.relay.key.publicKey })));
        void proofsSeenBy(transport).then((prove) => proofs.push(prove));
      },
    });
    // An origin that resolves to the recorder: what a forged name would do. The proof it takes is for its own nonce.
    await dialInstead(recorder, { origin: here.relay.origin });
    const proof = await until(() => proofs[0]);
    const replay = await dialRelay(here.relay.origin, systemClock);
    await proofsSeenBy(replay);
    replay.sendText(encodeFrame(proof));
    await until(() => here.relay.failures.length > 0);
    expect(here.relay.failures[0]).toMatchObject({ code: 'handshake_failed' });
    expect(here.relay.sessions).toHaveLength(0);
    replay.destroy();
  });

  /** What a thief of everything but the private key could say in place of a welcome. Each is refused. */
  const WELCOMES: readonly (readonly [name: string, code: string, of: (challenge: Challenge, prove: Prove, key: KeyPair) => string])[] = [
    [
      'a welcome for another session',
      'relay_untrusted',
      (challenge, prove, key) => encodeFrame({ ...makeWelcome(challenge, prove, key, 'ses_a'), session_id: 'ses_b' }),
    ],
    [
      'a welcome whose heartbeat was changed',
      'relay_untrusted',
      (challenge, prove, key) => encodeFrame({ ...makeWelcome(challenge, prove, key, 'ses_a'), heartbeat_ms: 1 }),
    ],
    [
      'a welcome of another protocol',
      'relay_untrusted',
      (challenge, prove, key) => encodeFrame({ ...makeWelcome(challenge, prove, key, 'ses_a'), protocol: 2 }),
    ],
    [
      'the welcome of an earlier handshake',
      'relay_untrusted',
      (challenge, prove, key) => encodeFrame(makeWelcome(challenge, { ...prove, nonce: 'n'.repeat(43) }, key, 'ses_a')),
    ],
    [
      'a welcome for another connector',
      'relay_untrusted',
      (challenge, prove, key) =>
        encodeFrame(makeWelcome(challenge, { ...prove, connector_id: 'con_0190a0b0-0000-7000-8000-000000000000' }, key, 'ses_a')),
    ],
    [
      'a welcome for another origin',
      'relay_untrusted',
      (challenge, prove, key) => encodeFrame(makeWelcome({ ...challenge, origin: 'https://relay.example' }, prove, key, 'ses_a')),
    ],
    [
      "the connector's own proof as its welcome",
      'relay_untrusted',
      (challenge, prove, key) => encodeFrame({ ...makeWelcome(challenge, prove, key, 'ses_a'), signature: prove.signature }),
    ],
    ['a second challenge', 'handshake_failed', (challenge) => encodeFrame(challenge)],
    [
      'a request before the welcome',
      'handshake_failed',
      () => encodeFrame({ t: 'request', id: 1, ...askFor('get_instance', here.instance, { instance_id: here.instance }) } as never),
    ],
    ['an acknowledgement before the welcome', 'handshake_failed', () => encodeFrame({ t: 'advertised', accepted: [], refused: [] })],
    [
      'a welcome cut short',
      'malformed_json',
      (challenge, prove, key) => encodeFrame(makeWelcome(challenge, prove, key, 'ses_a')).slice(0, -20),
    ],
  ];

  it.each(WELCOMES)('is refused with %s, and hears of nothing that is shared', async (_, code, of) => {
    here = await stand();
    await here.share(here.instance);
    let heard = 0;
    const liar = await another({
      onTransport: (transport) => {
        const challenge = makeChallenge({ origin: liar.origin, publicKey: here.relay.key.publicKey });
        transport.sendText(encodeFrame(challenge));
        void proofsSeenBy(transport).then((prove) => {
          transport.receive(() => (heard += 1));
          transport.sendText(of(challenge, prove, here.relay.key));
        });
      },
    });
    await dialInstead(liar, { origin: liar.origin });
    expect(await lastError()).toMatchObject({ code });
    expect([heard, here.daemon.seen.length, here.history.some(({ state }) => state === 'verified')]).toEqual([0, 0, false]);
  });

  it('plays every such welcome', ({ annotate }) => annotate(`${WELCOMES.length} forged welcomes refused`, 'count'));

  it('cannot keep the connector down with a word before it has proved itself', async () => {
    here = await stand();
    let dials = 0;
    const rude = await another({
      onTransport: (transport) => {
        dials++;
        transport.sendText(encodeFrame({ t: 'refuse', code: 'session_replaced' }));
        transport.close(4001, 'refused');
      },
    });
    await dialInstead(rude, { origin: rude.origin });
    await until(() => dials >= 2);
    expect(here.history.some(({ state }) => state === 'elsewhere')).toBe(false);
  });
});

describe('enrolment', () => {
  it('pins key and origin, and uses a new key pair each time', async () => {
    here = await stand();
    const secret = mintSecret('fle');
    here.relay.tokenFor(secret);
    const again = await enroll({ relay: `${here.relay.origin}/`, secret, label: 'desk' }, { files: here.files, clock: systemClock });
    expect(again).toMatchObject({ relay_key: here.relay.key.publicKey, origin: here.relay.origin });
    expect(again.key).not.toBe(here.identity.key);
    expect((await readFile(here.files.identity, 'utf8')).includes(again.keys.privateKey)).toBe(false);
  });

  it('refuses a relay that calls itself something else, and leaves the former identity alone', async () => {
    here = await stand();
    const before = await readFile(here.files.identity, 'utf8');
    const liar = await another({ origin: 'http://127.0.0.1:1' });
    const secret = mintSecret('fle');
    liar.tokenFor(secret);
    const order = { relay: liar.origin, secret, label: 'desk' };
    // This double checks the proof against the origin it claims, as a real one would: the proof covers the dialled one.
    await expect(enroll(order, { files: here.files, clock: systemClock })).rejects.toMatchObject({ code: 'enrollment_invalid' });
    expect(await readFile(here.files.identity, 'utf8')).toBe(before);
  });

  it.each(['http://relay.example', 'ftp://relay.example', 'https://user:pass@relay.example', 'https://relay.example/?x=1', 'nonsense'])(
    'does not dial %s',
    async (relay) => {
      here = await stand();
      const order = { relay, secret: mintSecret('fle'), label: 'desk' };
      await expect(enroll(order, { files: filesIn(here.folder), clock: systemClock })).rejects.toBeInstanceOf(FairleadError);
      await expect(readFile(filesIn(here.folder).identity)).rejects.toThrow();
    },
  );
});
