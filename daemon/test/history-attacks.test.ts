import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClient, type Client } from '@fairlead/shared/contract/client';
import type { FairleadError } from '@fairlead/shared/contract/errors';
import { generateKey, signEnvelope } from '@fairlead/shared/kit/signature';
import { historyFindings } from '../src/cli/doctor/history.ts';
import { daemonHome } from '../src/config/home.ts';
import { startDaemon } from '../src/daemon.ts';
import { examineHistory } from '../src/daemon/history-check.ts';
import { GENESIS, lineHash, type StoredLine } from '../src/ledger/chain.ts';
import { isBuilt, startDaemonProcess } from './daemon-process.ts';
import { testRepository, type TestRepository } from './repository.ts';

/**
 * Attack 19, on the ledger of a real daemon: a run dropped, a chain truncated, a ledger rolled back. Rule: the history is hash-chained, and
 * heads that were signed show what is missing. Whoever changes the ledger here recomputes every hash, which needs no key.
 */

const LINES = 2 ** 32;
const MAIN = join(import.meta.dirname, '../dist/main.js');
let home: string;
let repository: TestRepository;
let running: { readonly client: Client; stop(): Promise<void> } | undefined;
let instanceId: string;
const at = (...path: string[]): string => join(home, 'daemon', ...path);
const key = () => ({ idempotencyKey: randomUUID() });
const work = (title: string) => running!.client.call('start_run', { instance_id: instanceId, title }, key());

/** The daemon's composition root, in this process. */
const start = async (acceptRollback = false): Promise<void> => {
  const flags = { port: '0', log: 'silent' };
  const { url, stop } = await startDaemon({ home: daemonHome(home), env: {}, flags, crashAt: undefined, acceptRollback });
  const token = readFileSync(at('operator.token'), 'utf8').trim();
  running = { client: createClient({ url, prefix: '/api/v1', token }), stop };
};
const stop = async (): Promise<void> => {
  await running?.stop();
  running = undefined;
};
const refusal = (): Promise<string> =>
  start().then(
    () => 'it started',
    (error: FairleadError) => `${error.code} ${error.message}`,
  );
/** What doctor says of the history. */
const said = async (): Promise<string> =>
  (await historyFindings(daemonHome(home), examineHistory)).map(({ about, state, detail }) => `${state} ${about}: ${detail}`).join('\n');

beforeEach(async () => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'fairlead-history-')));
  repository = testRepository({ 'a.txt': 'one\n' });
  await start();
  instanceId = (await running!.client.call('add_instance', { path: repository.path, label: 'shop' }, key())).id;
  for (const title of ['one', 'two', 'three']) await work(title);
}, 60_000);
afterEach(async () => {
  await stop();
  rmSync(home, { recursive: true, force: true });
  repository.remove();
}, 60_000);

const doctor = (): Promise<string> =>
  new Promise((resolve) => {
    const env = { PATH: process.env['PATH'], FAIRLEAD_HOME: home };
    execFile(process.execPath, [MAIN, 'doctor'], { env }, (_, stdout) => resolve(stdout));
  });

/** Changes the ledger of a daemon that is stopped. */
const tamper = (change: (db: Sqlite.Database) => void): void => {
  const db = new Sqlite(at('ledger.db'));
  db.pragma('foreign_keys = OFF');
  change(db);
  db.close();
};
type Row = Omit<StoredLine, 'instance_id' | 'instance_seq' | 'hash'> & { readonly position: number };

/** Writes the history anew from the lines that are left, numbered and chained as if there had never been others. */
const chainAnew = (db: Sqlite.Database): void => {
  const rows = db.prepare('select position, run_id, run_seq, step_id, type, at, principal, authority, data from events order by position');
  const left = rows.all() as Row[];
  db.exec('delete from events; delete from heads');
  const add = db.prepare(
    `insert into events (position, run_id, run_seq, step_id, type, at, principal, authority, data, back, hash)
     values (@position, @run_id, @run_seq, @step_id, @type, @at, @principal, @authority, @data, @back, unhex(@hash))`,
  );
  const heads = new Map<string, { seq: number; position: number; hash: string }>();
  const none = { seq: 0, position: 0, hash: GENESIS };
  for (const [index, row] of left.entries()) {
    const [whole, chain] = [instanceId, row.run_id ?? `own:${instanceId}`];
    const [last, before] = [heads.get(whole) ?? none, heads.get(chain) ?? none];
    const position = LINES + index + 1;
    const run_seq = row.run_id === null ? null : before.seq + 1;
    const event = { ...row, run_seq, instance_id: instanceId, instance_seq: index + 1 };
    const hash = lineHash(before.hash, last.hash, event, row.principal, row.data);
    add.run({ ...row, position, run_seq, back: before.seq === 0 ? null : position - before.position, hash });
    heads.set(whole, { seq: index + 1, position, hash });
    heads.set(chain, { seq: before.seq + 1, position, hash });
  }
  const keep = db.prepare('insert into heads (chain, seq, position, hash) values (?, ?, ?, unhex(?))');
  for (const [chain, { seq, position, hash }] of heads) keep.run(chain, seq, position, hash);
};

describe('a ledger that somebody changed', { timeout: 60_000 }, () => {
  it('rolled back to an old copy: the daemon does not go on with it, and doctor says why', async () => {
    await stop();
    copyFileSync(at('ledger.db'), at('old.db'));
    await start();
    const cursor = (await running!.client.call('get_instance', { instance_id: instanceId })).cursor;
    await work('four');
    await stop();
    copyFileSync(at('old.db'), at('ledger.db'));
    expect(await refusal()).toContain('history_rolled_back');
    expect(await said()).toMatch(/blocked.*ends at line 4, and line 5 was signed/);

    // The owner decides, and the history says so for ever. What anybody knew of the lost lines is told to be of another history.
    await start(true);
    const { items } = await running!.client.call('list_events', { instance_id: instanceId });
    expect(items.at(-1)).toMatchObject({
      type: 'history.rollback_accepted',
      principal: { id: 'operator' },
      data: { signed_seq: 5, ends_at: 4 },
    });
    expect(await running!.client.call('list_events', { instance_id: instanceId, cursor })).toMatchObject({ resumed: 'gap' });
    await stop();
    await start();
    expect(await said()).toMatch(/^ok .*5 lines, whole/);
  });

  it('whose chains were truncated, with heads to match', async () => {
    await stop();
    tamper((db) => {
      db.prepare('delete from events where position = (select max(position) from events)').run();
      chainAnew(db);
      db.prepare("delete from runs where title = 'three'").run();
    });
    expect(await refusal()).toMatch(/history_rolled_back.*ends at line 3, and line 4 was signed/);
    expect(await said()).toContain('blocked');
  });

  it('from which a run was dropped, with every line after it chained anew', async () => {
    await stop();
    tamper((db) => {
      const dropped = db.prepare("select id from runs where title = 'two'").pluck().get();
      db.prepare('delete from events where run_id = ?').run(dropped);
      db.prepare('delete from runs where id = ?').run(dropped);
      chainAnew(db);
    });
    expect(await refusal()).toContain('history_rolled_back');
    // As many lines as before are no better, once one of them is another.
    tamper((db) => {
      const last = db.prepare('select max(position) from events').pluck().get();
      db.prepare(`insert into events select position + 1, run_id, run_seq + 1, step_id, type, at, principal, authority, data, 1, zeroblob(32)
        from events where position = ?`).run(last);
      chainAnew(db);
    });
    expect(await refusal()).toMatch(/history_rolled_back.*line 4 is not the one that was signed/);
    expect(await said()).toContain('blocked');
  });

  it('from which a run was dropped while its lines stay, or its lines while it stays', async () => {
    const run = await work('five');
    await work('six');
    await stop();
    copyFileSync(at('ledger.db'), at('old.db'));
    tamper((db) => db.prepare('delete from runs where id = ?').run(run.id));
    expect(await said()).toMatch(/blocked.*its record is gone/);
    copyFileSync(at('old.db'), at('ledger.db'));
    tamper((db) => db.prepare('delete from events where run_id = ?').run(run.id));
    expect(await said()).toMatch(/blocked.*is missing/);
    copyFileSync(at('old.db'), at('ledger.db'));
    await start();
    expect(await said()).toMatch(/^ok/);
  });

  it('that is gone', async () => {
    await stop();
    for (const file of ['ledger.db', 'ledger.db-wal', 'ledger.db-shm']) rmSync(at(file), { force: true });
    expect(await said()).toMatch(new RegExp(`blocked history ${instanceId}: the history ends at line 0`));
    expect(await refusal()).toContain('history_rolled_back');
    await start(true);
  });

  it('beside heads that another key signed', async () => {
    await stop();
    const [file, key] = [at('heads.json'), generateKey()];
    const { certificate } = JSON.parse(readFileSync(file, 'utf8')) as { certificate: unknown };
    const signed = signEnvelope('application/vnd.fairlead.heads.v1+json', { heads: [] }, key);
    writeFileSync(file, JSON.stringify({ certificate, signed }));
    expect(await refusal()).toContain('signature_invalid');
    expect(await said()).toMatch(/blocked history: .*heads.json was not signed by this daemon/);
  });
});

describe('a ledger that nobody changed', { timeout: 120_000 }, () => {
  it('goes on beside heads that are behind it, or none', async () => {
    await stop();
    copyFileSync(at('heads.json'), at('old-heads.json'));
    await start();
    await work('four');
    await stop();
    copyFileSync(at('old-heads.json'), at('heads.json'));
    await start();
    await stop();
    expect(await said()).toMatch(/^ok/);
    rmSync(at('heads.json'));
    await start();
    await stop();
    expect(existsSync(at('heads.json'))).toBe(true);
  });

  it.runIf(isBuilt())(
    'is never taken for one that was rolled back when its daemon was killed in mid-write, and the commands say so',
    async () => {
      await stop();
      for (let round = 0; round < 3; round++) {
        const daemon = await startDaemonProcess(home);
        // As heads are written again and again, the kill comes at another place of that each time.
        const asked = Array.from({ length: 30 }, (_, index) =>
          daemon.client.call('start_run', { instance_id: instanceId, title: `${round}.${index}` }, key()).catch(() => undefined),
        );
        await asked[round * 12];
        daemon.child.kill('SIGKILL');
        await Promise.all([daemon.gone, ...asked]);
        expect(await refusal()).toBe('it started');
        copyFileSync(at('ledger.db'), at('old.db'));
        await work('more');
        await stop();
      }
      expect(await said()).toMatch(/^ok/);
      // And what is one is shown by the commands.
      copyFileSync(at('old.db'), at('ledger.db'));
      await expect(startDaemonProcess(home)).rejects.toThrow('history_rolled_back');
      expect(await doctor()).toMatch(/BLOCKED {2}history shop: the history ends at line/);
    },
  );
});
