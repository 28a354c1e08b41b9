import Sqlite from 'better-sqlite3';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '@fairlead/shared/kit/clock';
import { readAll, requestRaw } from '@fairlead/shared/kit/http-client';
import { hashSecret } from '@fairlead/shared/kit/secret';
import { buildRelay, relayCli, relayProcess, type RelayProcess } from './process.ts';
import { codeOf, temporaryHome, testConnector, testInstance, type TestRelay } from './rig.ts';

let base: string;
let remove: () => Promise<void>;
let relay: RelayProcess;
beforeAll(buildRelay, 60_000);
beforeEach(async () => {
  ({ base, remove } = await temporaryHome());
  relay = await relayProcess(base);
});
afterEach(async () => {
  await relay.stop('SIGKILL');
  await remove();
});

/** The rig's view of a relay that is a process of its own. */
const asRelay = async (): Promise<TestRelay> => {
  const { origin, key } = await relay.admin.call('relay_status', {});
  return {
    ...relay,
    origin,
    key,
    adminToken: '',
    plannerToken: () => Promise.reject(new Error('unused')),
    close: async () => {},
    end: async () => {},
  };
};

const audited = () => {
  const db = new Sqlite(relay.home.database, { readonly: true });
  const rows = db.prepare('SELECT action, outcome FROM audit ORDER BY id').all() as { action: string; outcome: string }[];
  const open = db.prepare('SELECT count(*) AS n FROM audit_open_batch').get() as { n: number };
  db.close();
  return { rows: rows.map(({ action, outcome }) => `${action} ${outcome}`), open: open.n === 1 };
};

const status = async (path: string) => {
  const { status: code, body } = await requestRaw({ method: 'GET', url: `${relay.url}${path}` });
  await readAll(body);
  return code;
};

describe('a relay that is killed', () => {
  it('has every write and refusal that it answered in its audit', async () => {
    const instance = testInstance();
    const connector = await testConnector(await asRelay());
    await connector.advertise(connector.descriptor(instance));
    const { secret } = await relay.admin.call('create_planner_token', { name: 'p' });
    const planner = relay.client(secret);
    await planner.call('start_run', { instance_id: instance.id });
    await codeOf(planner.call('get_step', { step_id: testInstance().resource('step') }));
    await codeOf(relay.client('flp_wrong').call('list_instances', {}));
    await relay.stop('SIGKILL');
    const { rows } = audited();
    expect(rows).toContain('create_planner_token ok');
    expect(rows).toContain('start_run ok');
    expect(rows).toContain('get_step not_found');
    expect(rows).toContain('list_instances unauthenticated');
  });

  it('says outcome_unknown of a write that was on its way', async () => {
    const instance = testInstance();
    let asked = () => {};
    const reached = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const connector = await testConnector(await asRelay(), async (_, { signal }) => {
      asked();
      await systemClock.sleep(20_000, signal);
      throw new Error('unreachable');
    });
    await connector.advertise(connector.descriptor(instance));
    const { secret } = await relay.admin.call('create_planner_token', { name: 'p' });
    const lost = codeOf(relay.client(secret).call('start_run', { instance_id: instance.id }, { idempotencyKey: 'k' }));
    await reached;
    await relay.stop('SIGKILL');
    expect(await lost).toMatch(/outcome_unknown|relay_not_running/);
    expect(audited().rows).toContain('start_run outcome_unknown');
  });

  it('records at its next start that reads may be missing, but only if any could be', async () => {
    const { secret } = await relay.admin.call('create_planner_token', { name: 'p' });
    await relay.client(secret).call('list_instances', {});
    await relay.stop('SIGKILL');
    expect(audited().open).toBe(true);
    relay = await relayProcess(base);
    const [gap] = await relay.audit({ action: 'audit_gap' });
    expect(gap).toMatchObject({ effect: 'gap', outcome: 'unknown' });
    expect(Date.parse(gap!.detail['since'] as string)).toBeGreaterThan(Date.now() - 60_000);
    // Once it is quiet nothing can be missing any more.
    await systemClock.sleep(1500);
    await relay.stop('SIGKILL');
    expect(audited().open).toBe(false);
    relay = await relayProcess(base);
    expect((await relay.audit({ action: 'audit_gap' })).length).toBe(1);
  });

  it('has reads in its audit within the delay', async () => {
    const { secret } = await relay.admin.call('create_planner_token', { name: 'p' });
    await relay.client(secret).call('list_instances', {});
    await systemClock.sleep(150);
    await relay.stop('SIGKILL');
    expect(audited().rows).toContain('list_instances ok');
  });
});

describe('a relay on SIGTERM', () => {
  it('ends waits with draining, closes its audit, says nothing more on stdout and exits 0', async () => {
    const instance = testInstance();
    const connector = await testConnector(await asRelay(), async ({ operation }, { signal }) => {
      await systemClock.sleep(operation === 'wait_step' ? 20_000 : 300, signal);
      return { status: 200, type: 'application/json', body: Buffer.from('{}') };
    });
    await connector.advertise(connector.descriptor(instance));
    const { secret } = await relay.admin.call('create_planner_token', { name: 'p' });
    const wait = codeOf(relay.client(secret).call('wait_step', { step_id: instance.resource('step') }));
    const write = codeOf(relay.client(secret).call('start_run', { instance_id: instance.id }));
    while (connector.requests.length < 2) await systemClock.sleep(10);
    const since = performance.now();
    expect(await relay.stop('SIGTERM')).toBe(0);
    expect(performance.now() - since).toBeLessThan(4000);
    expect(await wait).toBe('draining');
    expect(await write).toBe('ok');
    expect(await connector.ended).toMatchObject({ code: 'draining' });
    expect(audited()).toMatchObject({ open: false });
    expect(relay.stdout()).toBe(`${JSON.stringify(relay.line)}\n`);
    relay = await relayProcess(base);
    expect((await relay.audit({ action: 'audit_gap' })).length).toBe(0);
  });
});

describe('a relay process', () => {
  it('is healthy and ready, keeps its secrets to its owner, and is alone in its home', async () => {
    expect(relay.line).toEqual({
      url: relay.url,
      mcp_url: `${relay.url}/mcp`,
      ws_url: `${relay.url.replace('http', 'ws')}/connect`,
      home: relay.home.folder,
      pid: relay.child.pid,
    });
    expect([await status('/healthz'), await status('/readyz'), await status('/api/v2/openapi.json'), await status('/nowhere')]).toEqual([
      200, 200, 200, 404,
    ]);
    for (const file of [relay.home.adminToken, relay.home.key, relay.home.database]) expect((await stat(file)).mode & 0o777).toBe(0o600);
    const second = await relayCli(base, '--json', 'serve', '--port', '0');
    expect(JSON.parse(second.stdout)).toMatchObject({ code: 'already_running' });
    expect(second.code).toBe(5);
  });

  it('is not ready while its store cannot be written', async () => {
    const blocker = new Sqlite(relay.home.database, { timeout: 0 });
    blocker.exec('BEGIN IMMEDIATE');
    expect(await status('/readyz')).toBe(503);
    blocker.exec('ROLLBACK');
    blocker.close();
    await systemClock.sleep(1000);
    expect(await status('/readyz')).toBe(200);
  });

  it('knows its tokens, connectors and instances again after a restart', async () => {
    const instance = testInstance();
    const connector = await testConnector(await asRelay());
    await connector.advertise(connector.descriptor(instance));
    const { secret } = await relay.admin.call('create_planner_token', { name: 'p' });
    await relay.stop('SIGKILL');
    relay = await relayProcess(base);
    const { items } = await relay.client(secret).call('list_instances', {});
    expect(items).toMatchObject([{ id: instance.id, online: false }]);
    expect(await codeOf(relay.client(secret).call('get_instance', { instance_id: instance.id }))).toBe('connector_offline');
  });

  it('keeps no token in a form that could be presented, neither in its database nor beside it', async () => {
    const { secret } = await relay.admin.call('create_planner_token', { name: 'p' });
    const { secret: invitation } = await relay.admin.call('create_enrollment_token', {});
    await relay.client(secret).call('list_instances', {});
    await codeOf(relay.client(`${secret}x`).call('list_instances', {}));
    await testConnector(await asRelay());
    await relay.stop('SIGKILL');
    const kept = await readdir(relay.home.folder);
    const read = async (name: string) => (await readFile(path.join(relay.home.folder, name))).toString('latin1');
    const texts = await Promise.all(kept.map(read));
    for (const token of [secret, invitation]) expect(kept.filter((_, at) => texts[at]!.includes(token))).toEqual([]);
    // What is looked for is found where it lies: the log of the database has the label of the invitation beside its hash.
    expect(kept.filter((_, at) => texts[at]!.includes(hashSecret(secret)))).not.toEqual([]);
    expect(await read('admin.token')).toMatch(/^fla_/);
  });

  it('is administered from its command line', async () => {
    const token = JSON.parse(
      (await relayCli(base, '--json', 'planner-token', 'create', 'ci', '--scope', 'runs:read,steps:read', '--expires', '1h')).stdout,
    ) as { id: string; secret: string };
    expect(token.secret).toMatch(/^flp_/);
    expect((await relayCli(base, 'planner-token', 'list')).stdout).toContain('ci');
    expect((await relayCli(base, 'planner-token', 'revoke', token.id)).stdout).toBe('The token of ci no longer works.\n');
    const secret = await relayCli(base, '--quiet', 'enrollment-token', 'create', '--label', 'box');
    expect(secret).toMatchObject({ code: 0, stderr: '' });
    expect(secret.stdout).toMatch(/^fle_[\w-]{43}\n$/);
    expect(JSON.parse((await relayCli(base, '--json', 'status')).stdout)).toMatchObject({ connectors: 0, draining: false });
    for (const command of ['connectors', 'instances', 'audit']) expect((await relayCli(base, command)).code).toBe(0);
    expect(
      JSON.parse((await relayCli(base, '--json', 'connector', 'revoke', 'con_0190a0b0-0000-7000-8000-000000000000')).stdout),
    ).toMatchObject({ code: 'not_found' });
    expect(
      JSON.parse((await relayCli(base, '--json', 'connector', 'rename', 'con_0190a0b0-0000-7000-8000-000000000000', 'desk')).stdout),
    ).toMatchObject({ code: 'not_found' });
    const told = await relayCli(base, 'mcp-config', '--client', 'claude-code');
    expect(JSON.parse(told.stdout)).toEqual({
      mcpServers: { fairlead: { type: 'http', url: `${relay.url}/mcp`, headers: { Authorization: 'Bearer ${FAIRLEAD_TOKEN}' } } },
    });
    expect(told.stderr).toContain('.mcp.json');
    for (const [flag, ...args] of [
      ['--client', '--client', 'nobody'],
      ['--token-env', '--client', 'codex', '--token-env', 'A B'],
      ['--endpoint', '--client', 'codex', '--endpoint', 'relay.example'],
    ] as const)
      expect(JSON.parse((await relayCli(base, '--json', 'mcp-config', ...args)).stdout)).toMatchObject({ field: flag });
    expect(await relayCli(base, 'planner-token', 'create', 'ci', '--scope', 'nonsense')).toMatchObject({ code: 1 });
    await relay.stop('SIGTERM');
    expect(JSON.parse((await relayCli(base, '--json', 'status')).stdout)).toMatchObject({ code: 'relay_not_running' });
  });

  it('refuses a bad configuration and names the field', async () => {
    await relay.stop('SIGTERM');
    await mkdir(relay.home.folder, { recursive: true });
    await writeFile(relay.home.config, '{"portt": 1}');
    expect(JSON.parse((await relayCli(base, '--json', 'serve')).stdout)).toMatchObject({ code: 'config_invalid', field: 'portt' });
    await writeFile(relay.home.config, '{}');
    expect(JSON.parse((await relayCli(base, '--json', 'serve', '--origin', 'https://a.example/path')).stdout)).toMatchObject({
      code: 'config_invalid',
      field: 'origin',
    });
  });
});
