import { newResourceId } from '@fairlead/shared/contract/ids';
import { systemClock } from '@fairlead/shared/kit/clock';
import { mintSecret } from '@fairlead/shared/kit/secret';
import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { enroll } from '../src/enrollment/enroll.ts';
import { changeShares } from '../src/share/share-file.ts';
import { askFor } from './relay-double.ts';
import { stand, until, type Stand } from './stand.ts';

let here: Stand;
afterEach(() => here.close());

const up = async () => {
  here = await stand();
  await here.share(here.instance);
  await here.run();
  return here.session();
};

/** The state in the status file; undefined until it is first written. What is there is whole at every moment. */
const told = async (): Promise<string | undefined> => {
  const text = await readFile(here.files.status, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return text === undefined ? undefined : (JSON.parse(text) as { state: string }).state;
};

describe('the line to the relay', () => {
  it('comes back by itself after a break, and advertises the whole set again', async () => {
    await up();
    here.relay.cut();
    await until(() => here.state() === 'error');
    expect(here.history.at(-1)).toMatchObject({ last_error: { code: 'relay_not_running' }, session_id: null });
    await until(() => here.relay.sessions.length === 2 && here.state() === 'verified');
    expect(here.relay.sessions[1]!.sets[0]!.map(({ instance_id }) => instance_id)).toEqual([here.instance]);
    expect(here.history.at(-1)!.last_error).toBeNull();
  });

  it('tells the truth about each stage, in a file that is always whole', async () => {
    await up();
    const words = here.history.map(({ state }) => state);
    expect([...new Set(words)]).toEqual(['connecting', 'connected', 'verified']);
    await until(async () => (await told()) === 'verified');
  });

  it('stays down when its identity runs elsewhere, and says so', async () => {
    await up();
    here.relay.refuse('session_replaced');
    await until(() => here.state() === 'elsewhere');
    expect(here.history.at(-1)!.last_error).toMatchObject({ code: 'session_replaced' });
    await systemClock.sleep(1_500);
    expect(here.relay.sessions).toHaveLength(1);
    expect(here.state()).toBe('elsewhere');
    await until(async () => (await told()) === 'elsewhere');
  });

  it('keeps trying when the relay refuses it, without hurry', async () => {
    await up();
    here.relay.connectors.get(here.identity.connector_id)!.state = 'disabled';
    here.relay.refuse('connector_disabled');
    await until(() => here.history.at(-1)?.last_error?.code === 'connector_disabled');
    expect(here.history.at(-1)!.next_try_ms).toBeGreaterThanOrEqual(2_000);
    here.relay.connectors.get(here.identity.connector_id)!.state = 'enabled';
    await until(() => here.relay.sessions.length === 2);
  });

  it.each([
    ['an unknown frame type', '{"t":"execute","id":1}'],
    ['a frame with a member twice', '{"t":"request","id":1,"id":2}'],
    ['an unknown field in a request', '{"t":"cancel","id":1,"path":"/etc"}'],
    ['no JSON at all', 'hello'],
  ])('drops a relay that sends %s, and dials anew', async (_, text) => {
    const { transport } = await up();
    transport.sendText(text);
    await until(() => here.state() === 'error');
    await until(() => here.relay.sessions.length === 2 && here.state() === 'verified');
  });

  it('drops a relay that sends a frame over the limit', async () => {
    const { transport } = await up();
    transport.sendText(`{"t":"request","x":"${'x'.repeat(13 * 1024 * 1024)}"}`);
    await until(() => here.state() === 'error');
    await until(() => here.relay.sessions.length === 2 && here.state() === 'verified');
  });

  it('drops a relay that sends binary frames', async () => {
    const { transport } = await up();
    transport.sendBytes(Buffer.from([0, 0, 0, 1, 2]));
    await until(() => here.state() === 'error');
  });

  it('refuses to run twice from one home', async () => {
    await up();
    await expect(here.run()).rejects.toMatchObject({ code: 'already_running' });
  });

  it('takes a new enrolment up without a restart', async () => {
    await up();
    const secret = mintSecret('fle');
    here.relay.tokenFor(secret);
    const next = await enroll({ relay: here.relay.origin, secret, label: 'desk' }, { files: here.files, clock: systemClock });
    await until(() => here.history.at(-1)?.connector_id === next.connector_id && here.state() === 'verified');
    // What was shared under the former key proves nothing under this one.
    expect(here.relay.sessions.at(-1)!.sets.at(-1)).toEqual([]);
    expect(here.history.at(-1)!.instances[0]).toMatchObject({ state: 'refused', code: 'delegation_invalid' });
  });
});

describe('what is shared', () => {
  it('is advertised anew at every change, whole, and served at once', async () => {
    const session = await up();
    const other = here.daemon.newInstance();
    await here.share(other);
    await until(() => session.sets.length === 2);
    expect(session.sets[1]!.map(({ instance_id }) => instance_id)).toEqual([here.instance, other]);
    await session.channel.request(askFor('get_run', other, { run_id: newResourceId('run', other) }), { effect: 'read' });
    await changeShares(here.files, (shares) => shares.filter(({ instance_id }) => instance_id !== here.instance));
    await until(() => session.sets.length === 3);
    expect(session.sets[2]!.map(({ instance_id }) => instance_id)).toEqual([other]);
    const gone = session.channel.request(askFor('get_instance', here.instance, { instance_id: here.instance }), { effect: 'read' });
    await expect(gone).rejects.toMatchObject({ code: 'not_found' });
    expect(here.relay.sessions).toHaveLength(1);
  });

  it('shows an instance that the relay did not take', async () => {
    here = await stand();
    await here.share(here.instance);
    here.relay.acceptOnly([]);
    await here.run();
    await here.session();
    expect(here.history.at(-1)!.instances[0]).toMatchObject({ state: 'refused', code: 'instance_moved' });
  });

  it('is renewed before its delegation ends, without a restart', async () => {
    here = await stand();
    // Shorter than the pause between renewals, as after a long sleep of the machine.
    const record = await here.share(here.instance, {}, systemClock.now() + 61_000);
    expect(record.delegation).toBeDefined();
    const { createRenewal } = await import('../src/share/renewal.ts');
    const { createShareSet } = await import('../src/share/share-set.ts');
    const { manualClock } = await import('@fairlead/shared/kit/clock');
    const { createLog } = await import('@fairlead/shared/kit/log');
    const clock = manualClock(systemClock.now());
    const set = createShareSet({ files: here.files, party: here.identity, clock });
    await set.reload();
    const renewal = createRenewal({
      files: here.files,
      party: here.identity,
      clock,
      log: createLog({ part: 'test', level: 'silent' }),
      shares: () => set.shares,
    });
    renewal.plan();
    await clock.advance(60_001);
    await until(() => set.reload());
    expect(set.shares.get(here.instance)!.served.provenUntil).toBeGreaterThan(systemClock.now() + 86_400_000);
    renewal.stop();
  });
});
