import { randomUUID } from 'node:crypto';
import type { Identity } from '@fairlead/connector/identity/identity';
import { createSession } from '@fairlead/connector/session/session';
import { defaultGrantOperations, OPERATIONS } from '@fairlead/shared/contract/operations/table';
import { isoTime, systemClock } from '@fairlead/shared/kit/clock';
import { makeCertificate, makeDelegation } from '@fairlead/shared/kit/delegation';
import { createLog } from '@fairlead/shared/kit/log';
import { generateKey, instanceIdOf, newInstanceNonce, type KeyPair } from '@fairlead/shared/kit/signature';
import type { AnswerHandler } from '@fairlead/shared/wire/exchange';
import type { Descriptor } from '@fairlead/shared/wire/frames';
import { makeEnrollmentProof } from '@fairlead/shared/wire/handshake';
import { dialRelay } from '@fairlead/shared/wire/ws-transport';
import type { LoneRelay } from './lone-relay.ts';
import { clientFor } from './planner.ts';

const DAY = 86_400_000;
const AT_ONCE = 48;

/** One enrolled machine with what it shares: everything that its connector needs, as plain data. */
export interface Member {
  readonly identity: Identity;
  readonly descriptors: readonly Descriptor[];
}

const inTurns = async <T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> => {
  const left = items.values();
  const worker = async () => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
};

/** A machine's own daemon, as far as a relay sees it: its keys, and delegations for its instances. */
const describe = (connector: KeyPair, relayKey: string, count: number): Descriptor[] => {
  const [root, operational] = [generateKey(), generateKey()];
  const not_after = isoTime(Date.now() + 30 * DAY);
  const certificate = makeCertificate(root, { number: 1, operational_key: operational.publicKey, not_after });
  return Array.from({ length: count }, (_, at) => {
    const nonce = newInstanceNonce();
    const instance_id = instanceIdOf(root.publicKey, nonce);
    const delegation = makeDelegation(
      { certificate, operational },
      {
        instance_id,
        root_key: root.publicKey,
        nonce,
        connector_key: connector.publicKey,
        relay_key: relayKey,
        sequence: 1,
        not_after,
        grant_digest: `sha256:${'0'.repeat(64)}`,
      },
    );
    return {
      instance_id,
      label: `repository-${at}`,
      machine: 'machine',
      default_branch: 'main',
      executors: ['patch'],
      operations: [...defaultGrantOperations(OPERATIONS)],
      origin_digest: null,
      delegation,
    };
  });
};

/** Enrols so many machines at a relay, each with a key of its own, through the API that a connector uses. */
export const enrolCrowd = async (relay: LoneRelay, count: number, instances = 1): Promise<Member[]> => {
  const stranger = clientFor(relay.url, '/api/v2', 'none');
  const members: Member[] = [];
  const enrolOne = async (at: number): Promise<void> => {
    const label = `machine-${at}`;
    const keys = generateKey();
    const { secret } = await relay.admin.call('create_enrollment_token', { label }, { idempotencyKey: randomUUID() });
    const proof = makeEnrollmentProof({ secret, key: keys.publicKey, label, origin: relay.url }, keys.privateKey);
    const enrolled = await stranger.call('enroll', { secret, key: keys.publicKey, label, proof });
    members.push({
      identity: {
        version: 1,
        connector_id: enrolled.connector_id,
        label,
        relay: relay.url,
        origin: enrolled.relay_origin,
        relay_key: enrolled.relay_key,
        key: keys.publicKey,
        enrolled_at: isoTime(Date.now()),
        keys,
      },
      descriptors: describe(keys, enrolled.relay_key, instances),
    });
  };
  await inTurns(
    Array.from({ length: count }, (_, at) => at),
    enrolOne,
  );
  return members;
};

const MASK = 0xffff_ffff;

/** Random numbers that are the same for the same seed, so that two crowds wait alike between their tries. */
export const seeded = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) & MASK;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

/** Many clients that stay connected, and how many of them are now. */
export interface Crowd {
  readonly size: number;
  readonly up: number;
  close(): Promise<void>;
}

/** The first words of a crowd are spoken a few at a time: it is its coming back that is a storm. */
export const gather = async (size: number, begin: (at: number, up: () => void) => void): Promise<void> => {
  await inTurns(
    Array.from({ length: size }, (_, at) => at),
    (at) => new Promise<void>((resolve) => begin(at, resolve)),
  );
};

/**
 * Connects every member with the connector's real session: its handshake, its advertise, its patience. Resolves when all are served.
 * @param answer what stands in for the daemons
 */
export const joinCrowd = async (members: readonly Member[], answer: AnswerHandler, seed = 1): Promise<Crowd> => {
  const log = createLog({ part: 'crowd', level: 'silent' });
  const sessions: ReturnType<typeof createSession>[] = [];
  const serving = new Set<number>();
  await gather(members.length, (at, up) => {
    const { identity, descriptors } = members[at]!;
    const session = createSession({
      identity,
      dial: (signal) => dialRelay(identity.relay, systemClock, signal),
      answer,
      advertisement: () => descriptors,
      clock: systemClock,
      log,
      report({ state }) {
        if (state === 'serving') {
          serving.add(at);
          up();
        } else serving.delete(at);
      },
      random: seeded(seed + at),
    });
    sessions.push(session);
    session.start();
  });
  return {
    size: members.length,
    get up() {
      return serving.size;
    },
    close: async () => void (await Promise.all(sessions.map((session) => session.stop()))),
  };
};
