import { FairleadError } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { manualClock } from '@fairlead/shared/kit/clock';
import { createLog } from '@fairlead/shared/kit/log';
import { generateKey } from '@fairlead/shared/kit/signature';
import { createRequestingChannel } from '@fairlead/shared/wire/requesting-channel';
import { encodeFrame } from '@fairlead/shared/wire/codec';
import { greetConnector } from '@fairlead/shared/wire/greeting';
import { memoryPair, type MemoryPair } from '@fairlead/shared/wire/memory-pair';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Identity } from '../identity/identity.ts';
import { createSession } from './session.ts';

const relayKey = generateKey();
const keys = generateKey();
const identity: Identity = {
  version: 1,
  connector_id: 'con_01890a5d-ac96-774b-bcce-b302099a8057',
  label: 'desk',
  relay: 'https://relay.example',
  origin: 'https://relay.example',
  relay_key: relayKey.publicKey,
  key: keys.publicKey,
  enrolled_at: '',
  keys,
};
const offline = () => Promise.reject(new FairleadError('relay_not_running'));

const fixture = (dial: () => ReturnType<typeof offline> | Promise<MemoryPair['left']['transport']>, random: () => number) => {
  const clock = manualClock();
  const delays: number[] = [];
  const states: string[] = [];
  const session = createSession({
    identity,
    dial,
    answer: () => Promise.reject(new FairleadError('internal')),
    advertisement: () => [],
    clock,
    log: createLog({ part: 'test', level: 'silent' }),
    report: ({ state, nextTry }) => {
      states.push(state);
      if (nextTry !== null) delays.push(nextTry);
    },
    random,
  });
  return { clock, delays, states, session };
};

/** Both halves of a line in memory, with an honest relay on the far one. */
const honest = (clock: ReturnType<typeof manualClock>) => {
  const pair = memoryPair();
  void greetConnector(pair.right.transport, {
    clock,
    relayKey,
    origin: identity.origin,
    find: () => ({ key: keys.publicKey, state: 'enabled' }),
  }).finally(() => {
    const channel = createRequestingChannel(pair.right.transport, clock, {
      onAdvertise: () => queueMicrotask(() => channel.advertised({ accepted: [], refused: [] })),
      onEnd: () => undefined,
    });
  });
  return pair;
};

const settle = async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
};

describe('reconnecting', () => {
  it('waits within a bound that doubles up to the cap, drawn over the whole of it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.double({ min: 0.05, max: 0.999_999, noNaN: true }), { minLength: 12, maxLength: 12 }), async (draws) => {
        let drawn = 0;
        const { clock, delays, session } = fixture(offline, () => draws[drawn++ % draws.length]!);
        session.start();
        await settle();
        for (let round = 0; round < 11; round++) await clock.advance(LIMITS.reconnect_cap.value);
        await session.stop();
        delays.slice(0, 12).forEach((delay, at) => {
          const bound = Math.min(LIMITS.reconnect_cap.value, LIMITS.reconnect_base.value * 2 ** at);
          expect(delay).toBe(Math.round(draws[at]! * bound));
        });
      }),
      { numRuns: 20 },
    );
  });

  it('gives a relay that drains a moment to be started again, comes back within what it asks for, and learns no patience from it', async () => {
    const lines: MemoryPair[] = [];
    const here = fixture(
      async () => {
        lines.push(honest(here.clock));
        return lines.at(-1)!.left.transport;
      },
      () => 0.5,
    );
    const { clock, delays, session } = here;
    session.start();
    for (let round = 0; round < 3; round++) {
      await settle();
      expect(session.report.state).toBe('serving');
      lines.at(-1)!.right.transport.sendText(encodeFrame({ t: 'refuse', code: 'draining', spread_ms: 4000 }));
      await settle();
      lines.at(-1)!.cut();
      await settle();
      await clock.advance(delays.at(-1)!);
    }
    await session.stop();
    expect(delays).toEqual(Array(3).fill(LIMITS.restart_pause.value + 2000));
  });

  it('begins anew after a session that lived, and goes on after one that did not', async () => {
    const lines: MemoryPair[] = [];
    const here = fixture(
      () => {
        const pair = honest(here.clock);
        lines.push(pair);
        return Promise.resolve(pair.left.transport);
      },
      () => 0.999_999,
    );
    const { clock, delays, session } = here;
    session.start();
    await settle();
    for (const lived of [0, 0, LIMITS.session_lived.value, 0]) {
      expect(session.report.state).toBe('serving');
      await clock.advance(lived);
      lines.at(-1)!.cut();
      await settle();
      await clock.advance(delays.at(-1)!);
      await settle();
    }
    expect(delays).toEqual([500, 1000, 500, 1000]);
    await session.stop();
  });

  it('gives a relay that is silent in the handshake up after its deadline', async () => {
    const { clock, states, session } = fixture(
      () => Promise.resolve(memoryPair().left.transport),
      () => 0.5,
    );
    session.start();
    await settle();
    expect(session.report.state).toBe('proving');
    await clock.advance(LIMITS.handshake.value);
    await settle();
    expect(session.report).toMatchObject({ state: 'waiting', error: { code: 'handshake_failed' } });
    expect(states).not.toContain('advertising');
    await session.stop();
  });

  it('stops at once while it waits, and dials no more', async () => {
    let dials = 0;
    const { clock, session } = fixture(
      () => {
        dials++;
        return offline();
      },
      () => 0.5,
    );
    session.start();
    await settle();
    await session.stop();
    await clock.advance(120_000);
    expect([dials, session.report.state]).toEqual([1, 'stopped']);
  });
});
