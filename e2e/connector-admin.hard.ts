import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { generateKey } from '@fairlead/shared/kit/signature';
import { signRotation } from '@fairlead/shared/wire/handshake';
import { until } from './rig/processes.ts';
import { makeRepository, SAMPLE_PROJECT } from './rig/repositories.ts';
import { raiseStack, type Stack } from './rig/stack.ts';

/** What an owner and a relay's operator do with an enrolled machine, with the real programs. The tests go on from each other. */
let stack: Stack;
beforeAll(async () => {
  stack = await raiseStack();
}, 120_000);
afterAll(() => stack?.close());

interface Status {
  readonly state: string;
  readonly last_error: { readonly code: string } | null;
}

const file = (name: string) => join(stack.home, 'connector', name);
const status = async (): Promise<Status> => JSON.parse((await stack.run('connector', 'status', '--json')).stdout) as Status;
const instance = () => stack.instances[0]!.id;
const answers = () =>
  until(
    'the instance answers a planner',
    () =>
      stack.planner.call('get_instance', { instance_id: instance() }).then(
        ({ id }) => id === instance(),
        () => false as const,
      ),
    45_000,
  );
const connector = async () => (await stack.admin.call('list_connectors', {})).items[0]!;
const grants = async () => (await stack.operator.call('list_grants', {})).items;
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'ok',
    (error: unknown) => (error instanceof FairleadError ? error.code : String(error)),
  );

describe('the machine of an owner', { timeout: 120_000 }, () => {
  it('discover changes nothing at the daemon, in the shares or at the relay', async () => {
    const repo = makeRepository(join(stack.home, 'projects', 'unregistered'), SAMPLE_PROJECT);
    const all = async () => ({
      instances: await stack.operator.call('list_instances', {}),
      grants: await grants(),
      connectors: await stack.admin.call('list_connectors', {}),
      shared: (await stack.admin.call('list_all_instances', {})).items.map(({ id }) => id),
      file: readFileSync(file('shares.json'), 'utf8'),
    });
    const before = await all();
    const { items } = await stack.json<{ items: object[] }>('connector', 'discover', '--root', join(stack.home, 'projects'));
    expect(items).toMatchObject([
      { standing: 'shared', instance_id: instance() },
      { standing: 'found', path: repo },
    ]);
    expect(await all()).toEqual(before);
  });

  it('a disabled connector is cut off within a second, says why, and is back when it is enabled', async () => {
    const { id } = await connector();
    const asked = performance.now();
    await stack.admin.call('set_connector_state', { connector_id: id, state: 'disabled' });
    expect((await connector()).online).toBe(false);
    expect(await codeOf(stack.planner.call('get_instance', { instance_id: instance() }))).toBe('connector_offline');
    expect(performance.now() - asked).toBeLessThan(1_000);
    await until('the status says why', async () => (await status()).last_error?.code === 'connector_disabled', 45_000);
    expect((await status()).state).toBe('error');
    await stack.admin.call('set_connector_state', { connector_id: id, state: 'enabled' });
    await answers();
  });

  it('rotate-key changes the key at the relay, in the identity and in each grant, and what is shared stays served', async () => {
    const [former] = (await grants()).filter(({ revoked_at: ended }) => ended === null);
    const before = (await connector()).key;
    const { key } = await stack.json<{ key: string }>('connector', 'rotate-key');
    expect(key).not.toBe(before);
    expect((await connector()).key).toBe(key);
    const live = (await grants()).filter(({ revoked_at: ended }) => ended === null);
    const { operations, budget, expires_at } = former!;
    expect(live).toMatchObject([{ connector_key: key, operations, budget, expires_at }]);
    expect(existsSync(file('connector.key.next'))).toBe(false);
    await answers();
  });

  it('rotate-key begins nothing without the daemon that must move the grants', async () => {
    const before = (await connector()).key;
    await stack.parts.daemon.stop();
    expect((await stack.run('connector', 'rotate-key')).code).toBe(5);
    expect((await connector()).key).toBe(before);
    await stack.start('daemon');
    await answers();
  });

  const put = (name: string, text: string) => writeFileSync(file(name), text, { mode: 0o600 });

  it('rotate-key that was stopped right after the relay took the new key is finished by running it again', async () => {
    const { connector_id, origin, relay_key, key } = JSON.parse(readFileSync(file('config.json'), 'utf8')) as Record<string, string>;
    const next = generateKey();
    put('connector.key.next', `${next.privateKey}\n`);
    const request = { connector_id: connector_id!, old_key: key!, new_key: next.publicKey, origin: origin!, relay_key: relay_key! };
    const seed = readFileSync(file('connector.key'), 'utf8').trim();
    await stack.admin.call('rotate_connector_key', {
      connector_id: request.connector_id,
      old_key: request.old_key,
      new_key: request.new_key,
      old_proof: signRotation(request, seed),
      new_proof: signRotation(request, next.privateKey),
    });
    // The running connector is shut out and stays so until its owner goes on.
    await until(
      'the status says why',
      async () => ['key_rotated', 'handshake_failed'].includes((await status()).last_error?.code ?? ''),
      45_000,
    );
    expect(await stack.json('connector', 'rotate-key')).toMatchObject({ key: next.publicKey });
    await answers();
  });

  it('rotate-key that was stopped before the grants were moved, or before that was written, is finished by running it again', async () => {
    const [key, shares] = ['connector.key', 'shares.json'].map((name) => readFileSync(file(name), 'utf8'));
    const first = await stack.json<{ key: string }>('connector', 'rotate-key');
    put('connector.key.next', readFileSync(file('connector.key'), 'utf8'));
    put('connector.key', key!);
    put('shares.json', shares!);
    const again = await stack.json<{ key: string; shares: object[] }>('connector', 'rotate-key');
    expect(again).toMatchObject({ key: first.key, shares: [{ instance_id: instance() }] });
    expect((await grants()).filter(({ revoked_at: ended }) => ended === null)).toHaveLength(1);
    expect(existsSync(file('connector.key.next'))).toBe(false);
    await answers();
  });

  it('unenroll keeps the identity while the relay cannot be told, then ends everything, and the running connector with it', async () => {
    const { id } = await connector();
    await stack.parts.relay.stop();
    const refused = await stack.run('connector', 'unenroll');
    expect([refused.code, refused.stderr]).toEqual([5, expect.stringContaining('--offline')]);
    expect(existsSync(file('config.json'))).toBe(true);
    expect((await grants()).every(({ revoked_at: ended }) => ended !== null)).toBe(true);
    await stack.start('relay');
    expect(await stack.json('connector', 'unenroll')).toMatchObject({ connector_id: id, unenrolled: true, relay_told: true, left: [] });
    for (const name of ['config.json', 'connector.key']) expect(existsSync(file(name)), name).toBe(false);
    expect((await connector()).state).toBe('revoked');
    expect((await stack.parts.connector.ended).code).toBe(0);
    expect((await stack.planner.call('list_instances', {})).items).toEqual([]);
  });

  it('unenroll --offline leaves without the relay, and says what is left to do there', async () => {
    const { secret } = await stack.admin.call('create_enrollment_token', {});
    await stack.json('connector', 'enroll', '--relay', stack.relayUrl, '--token', secret);
    await stack.json('connector', 'share', '--instance', instance());
    const { code, stdout } = await stack.run('connector', 'unenroll', '--offline', '--json');
    const told = JSON.parse(stdout) as { connector_id: string; left: string[] };
    expect([code, told]).toMatchObject([4, { relay_told: false, shares: [{ revoked: true }] }]);
    expect(told.left.join('\n')).toContain(`fairlead-relay connector revoke ${told.connector_id}`);
    expect(existsSync(file('config.json'))).toBe(false);
  });
});
