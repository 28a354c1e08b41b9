import { readFileSync } from 'node:fs';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { residentOf, until } from '../rig/processes.ts';
import { codeOf, raiseStage, type Stage } from './stage.ts';

const MIB = 1024 * 1024;
const PINGS = 20_000;
const GROWTH = 100 * MIB;
/** Three intervals in which nothing is heard, the one before them, the growing patience, and the pace of a busy machine. */
const SILENCE_MS = 5 * LIMITS.heartbeat.value;

/** Promise 1: a relay can deny. It can keep still, withhold its word and waste the line; nothing wider follows, and nothing breaks. */
describe('a relay that proved itself', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await raiseStage();
    await stage.session();
  }, 60_000);
  afterAll(() => stage?.close());

  const served = async () => (await stage.ask('get_instance', stage.shared, { instance_id: stage.shared.id })).id === stage.shared.id;

  it('and floods the line with pings that it does not let answer is left, and dialled again', { timeout: 60_000 }, async ({ annotate }) => {
    const session = await stage.session();
    const { pid } = JSON.parse(readFileSync(`${stage.home}/connector/status.json`, 'utf8')) as { pid: number };
    const before = residentOf(pid);
    const socket = stage.relay.socket();
    socket.on('error', () => undefined).pause();
    const thousand = Buffer.alloc(2000, Buffer.from([0x89, 0x00]));
    for (let sent = 0; sent < PINGS && !socket.destroyed; sent += 1000)
      if (!socket.write(thousand)) await new Promise((resolve) => void socket.once('drain', resolve).once('close', resolve));
    await until('it dials again', () => Promise.resolve(stage.relay.sessions.at(-1) !== session));
    await stage.session();
    expect(await served()).toBe(true);
    expect(residentOf(pid) - before).toBeLessThan(GROWTH);
    await annotate(`${PINGS} pings`, 'count');
  });

  it('and never says whether it took a set is served by the newest one all the same', { timeout: 60_000 }, async () => {
    const { channel, sets } = await stage.session();
    channel.advertised = () => undefined;
    const before = sets.length;
    expect((await stage.run('connector', 'unshare', '--instance', stage.narrow.id)).code).toBe(0);
    await until('the set is advertised anew', () => Promise.resolve(sets.length > before));
    await until('the status does not call it verified', () => Promise.resolve(stage.status().state === 'connected'));
    expect(await served()).toBe(true);
    expect(await codeOf(stage.ask('get_instance', stage.narrow, { instance_id: stage.narrow.id }))).toBe('not_found');
  });

  it(
    'and then is silent on an open line is given up after three heartbeats, and dialled again',
    { timeout: SILENCE_MS + 60_000 },
    async () => {
      await stage.restart('connector');
      const session = await stage.session();
      stage.relay.socket().pause();
      const since = Date.now();
      await until('it dials again', () => Promise.resolve(stage.relay.sessions.at(-1) !== session), SILENCE_MS);
      expect(Date.now() - since).toBeGreaterThan(2 * LIMITS.heartbeat.value);
      await stage.session();
      expect(await served()).toBe(true);
      expect(stage.log()).toContain('the line to the relay is down');
    },
  );
});
