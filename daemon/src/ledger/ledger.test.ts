import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canonicalJson } from '@fairlead/shared/contract/json';
import { TaskSpec } from '@fairlead/shared/contract/task';
import { newResourceId } from '@fairlead/shared/contract/ids';
import { Event, Grant, Run, Step } from '@fairlead/shared/contract/resources';
import { manualClock } from '@fairlead/shared/kit/clock';
import { BY_DAEMON, type EventRecord, type InstanceRecord, type StepRecord } from '../core/records.ts';
import { eventText, textsOf } from './chain.ts';
import { JOURNAL_POINTS, armJournalPoint, journalPoint } from './journal.ts';
import type { Ledger } from './ledger.ts';
import { openLedger } from './open-ledger.ts';
import { eventView, grantView, runNow, stepNow } from './views.ts';

const INSTANCE = `ins_${'a'.repeat(26)}`;
const OTHER = `ins_${'b'.repeat(26)}`;
const operator = { principal: { id: 'operator', name: 'operator' }, authority: 'local' } as const;
const instance = (id: string): InstanceRecord => ({
  id,
  label: 'x',
  repository: `/r/${id}`,
  target: 'refs/heads/main',
  policy_ref: 'refs/heads/main',
  listed_branches: [],
  default_executor: 'patch',
  unconfined: false,
  nonce: 'n',
  origin_digest: null,
  added_at: 1,
  removed_at: null,
});
const spec = TaskSpec.parse({});

let folder: string;
let ledger: Ledger;
const clock = manualClock();
const reopen = () => openLedger({ file: join(folder, 'ledger.db'), clock });
const startRun = (instanceId = INSTANCE) =>
  ledger.record((tx) =>
    tx.add.run(
      {
        id: newResourceId('run', instanceId),
        instance_id: instanceId,
        title: 'run',
        target: 'refs/heads/main',
        submitted_by: operator.principal,
        authority: 'local',
      },
      operator,
    ),
  );
const addStep = (run_id: string, instanceId = INSTANCE): Promise<StepRecord> =>
  ledger.record((tx) =>
    tx.add.step(
      {
        id: newResourceId('step', instanceId),
        run_id,
        instance_id: instanceId,
        title: 'step',
        executor_requested: 'patch',
        simulated: false,
        base: 'target',
        timeout_ms: 1000,
        remote: false,
        grant_id: null,
        submitted_by: operator.principal,
        authority: 'local',
      },
      spec,
      operator,
    ),
  );
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'nothing',
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );
/** Changes rows behind the ledger's back. */
/** Where a line of the instance that was added first has its row. */
const positionOf = (seq: number): number => 2 ** 32 + seq;
const tamper = (sql: string, ...parameters: unknown[]): void => {
  const db = new Sqlite(join(folder, 'ledger.db'));
  db.pragma('foreign_keys = OFF');
  db.prepare(sql).run(...parameters);
  db.close();
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-ledger-'));
  ledger = reopen();
  await ledger.record((tx) => tx.add.instance(instance(INSTANCE), operator));
});
afterEach(async () => {
  armJournalPoint(undefined);
  await ledger.close().catch(() => undefined);
  rmSync(folder, { recursive: true, force: true });
});

describe('group commit', () => {
  it('one turn of the event loop is one commit, and listeners hear of it after it', async () => {
    const batches: string[][] = [];
    ledger.onCommit((events) => batches.push(events.map(({ type }) => type)));
    await Promise.all([startRun(), startRun(), startRun()]);
    expect(batches).toEqual([['run.started', 'run.started', 'run.started']]);
    await startRun();
    expect(batches).toHaveLength(2);
  });

  it('a unit that throws is undone alone, with its history and its heads', async () => {
    const run = await startRun();
    const results = await Promise.allSettled([
      addStep(run.id),
      ledger.record((tx) => {
        tx.note({ type: 'request.refused', instance_id: INSTANCE, ...operator });
        tx.move.run(run.id, 'closed', {}, operator);
        throw new Error('no');
      }),
      addStep(run.id),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(ledger.read.run(run.id)).toMatchObject({ state: 'open', steps: 2 });
    expect(ledger.read.events({ instance_id: INSTANCE, after: 0, limit: 100 }).map(({ type }) => type)).toEqual([
      'instance.added',
      'run.started',
      'step.queued',
      'step.queued',
    ]);
    expect(ledger.verify(INSTANCE).problems).toEqual([]);
  });

  it('what was promised is there after the process is gone without closing', async () => {
    const run = await startRun();
    const other = new Sqlite(join(folder, 'ledger.db'), { readonly: true });
    expect(other.prepare('select state from runs where id = ?').pluck().get(run.id)).toBe('open');
    other.close();
  });

  it('is refused after the end', async () => {
    await ledger.close();
    expect(await codeOf(startRun())).toBe('draining');
    ledger = reopen();
  });
});

describe('moves', () => {
  it('ask core, and a refusal says the state', async () => {
    const step = await addStep((await startRun()).id);
    expect(await codeOf(ledger.record((tx) => tx.move.step(step.id, 'completed', {}, BY_DAEMON)))).toBe('transition_refused');
    const moved = await ledger.record((tx) => tx.move.step(step.id, 'prepared', { base_commit: 'c'.repeat(40) }, BY_DAEMON));
    expect(moved).toEqual(ledger.read.step(step.id));
    expect(moved.state).toBe('preparing');
    expect(await codeOf(ledger.record((tx) => tx.move.run(newResourceId('run', INSTANCE), 'closed', {}, operator)))).toBe('not_found');
  });

  it('a step that is queued again goes to the end of the queue and forgets its stop', async () => {
    const run = await startRun();
    const [a, b] = [await addStep(run.id), await addStep(run.id)];
    expect(ledger.read.queued()).toEqual([a.id, b.id]);
    expect([ledger.read.position(a), ledger.read.position(b)]).toEqual([1, 2]);
    await ledger.record((tx) => {
      tx.move.step(a.id, 'prepared', {}, BY_DAEMON);
      tx.requestStop(a.id, 'cancel', operator);
      tx.requestStop(a.id, 'cancel', operator);
      tx.move.step(a.id, 'preparation_failed', { reason: { code: 'x', message: 'y' } }, BY_DAEMON);
    });
    expect(ledger.read.stepsIn(['failed_preparation']).map(({ id }) => id)).toEqual([a.id]);
    await ledger.record((tx) => tx.move.step(a.id, 'retried', {}, operator));
    expect(ledger.read.queued()).toEqual([b.id, a.id]);
    expect(ledger.read.step(a.id)).toMatchObject({ stop_requested_at: null, reason: null, ended_at: null });
    const types = ledger.read.events({ instance_id: INSTANCE, step_id: a.id, after: 0, limit: 50 }).map(({ type }) => type);
    expect(types.filter((type) => type === 'step.stop_requested')).toHaveLength(1);
  });

  it('answers what the contract describes', async () => {
    const run = await startRun();
    const step = await addStep(run.id);
    expect(Step.parse(stepNow(ledger.read, step))).toEqual(stepNow(ledger.read, step));
    expect(Run.parse(runNow(ledger.read, ledger.read.run(run.id)!))).toMatchObject({ progress: 'running', steps: 1 });
    for (const event of ledger.read.events({ instance_id: INSTANCE, after: 0, limit: 50 })) Event.parse(eventView(event, ledger.epoch));
  });
});

describe('history', () => {
  const scenario = async (): Promise<void> => {
    await ledger.record((tx) => tx.add.instance(instance(OTHER), operator));
    for (const id of [INSTANCE, OTHER, INSTANCE]) {
      const step = await addStep((await startRun(id)).id, id);
      await ledger.record((tx) => tx.move.step(step.id, 'prepared', {}, BY_DAEMON));
      await ledger.record((tx) =>
        tx.move.step(step.id, 'cancelled', { reason: { code: 'cancelled', message: 'ü "quoted" \n' } }, operator),
      );
    }
  };

  it('is whole after real work, in every instance, and after a new start', async () => {
    await scenario();
    await ledger.close();
    ledger = reopen();
    await addStep((await startRun()).id);
    for (const id of [INSTANCE, OTHER]) expect(ledger.verify(id)).toMatchObject({ problems: [] });
    expect(ledger.verify(INSTANCE)).toMatchObject({ runs: 3, events: 11 });
  });

  it('the text that is hashed is canonical JSON', () => {
    fc.assert(
      fc.property(
        fc.record({ id: fc.string(), name: fc.string() }),
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.option(fc.nat()),
        (principal, data, run_seq) => {
          const event: Omit<EventRecord, 'prev_hash' | 'instance_prev_hash' | 'hash'> = {
            instance_id: INSTANCE,
            instance_seq: 1,
            run_id: run_seq === null ? null : 'run_x',
            run_seq,
            step_id: null,
            type: 'run.started',
            at: 5,
            principal,
            authority: 'local',
            data,
          };
          const { at, ...rest } = event;
          fc.pre([principal.id, principal.name, JSON.stringify(data)].every((text) => text.isWellFormed()));
          let expected: string;
          try {
            expected = canonicalJson({ ...rest, at: new Date(at).toISOString() });
          } catch {
            return;
          }
          const texts = textsOf(event);
          expect(eventText(event, texts.principal, texts.data)).toBe(expected);
        },
      ),
    );
  });

  it('shows every line that was altered, whichever column', async () => {
    await scenario();
    const { events } = ledger.verify(INSTANCE);
    const columns: [string, string | number | Buffer | null][] = [
      ['type', 'run.closed'],
      ['at', 7],
      ['principal', '{"id":"x","name":"x"}'],
      ['authority', 'relay_asserted'],
      ['data', '{}'],
      ['data', 'not json'],
      ['step_id', null],
      ['run_id', 'run_x'],
      ['run_seq', 99],
      ['back', null],
      ['back', 99],
      ['hash', Buffer.alloc(32)],
    ];
    for (let seq = 1; seq <= events; seq++) {
      for (const [column, value] of columns) {
        const db = new Sqlite(join(folder, 'ledger.db'));
        const before = db.prepare(`select ${column} from events where position = ?`).pluck().get(positionOf(seq));
        db.close();
        if (before === value) continue;
        tamper(`update events set ${column} = ? where position = ?`, value, positionOf(seq));
        expect(ledger.verify(INSTANCE).problems.length, `${column} of line ${seq}`).toBeGreaterThan(0);
        tamper(`update events set ${column} = ? where position = ?`, before, positionOf(seq));
      }
    }
    expect(ledger.verify(INSTANCE).problems).toEqual([]);
  });

  it('shows every line that was dropped, the last one too, lines that were exchanged, and a run that is gone', async () => {
    await scenario();
    const { events } = ledger.verify(INSTANCE);
    const copy = 'create table kept as select * from events';
    tamper(copy);
    const restore = () => {
      tamper('delete from events');
      tamper('insert into events select * from kept');
    };
    for (let seq = 1; seq <= events; seq++) {
      tamper('delete from events where position = ?', positionOf(seq));
      expect(ledger.verify(INSTANCE).problems.length, `line ${seq} dropped`).toBeGreaterThan(0);
      restore();
    }
    for (let seq = 1; seq < events; seq++) {
      tamper('update events set position = -1 where position = ?', positionOf(seq));
      tamper('update events set position = ? where position = ?', positionOf(seq), positionOf(seq + 1));
      tamper('update events set position = ? where position = -1', positionOf(seq + 1));
      expect(ledger.verify(INSTANCE).problems.length, `lines ${seq} and ${seq + 1} exchanged`).toBeGreaterThan(0);
      restore();
    }
    const run = ledger.read.runs({ instance_id: INSTANCE, limit: 1 })[0]!;
    tamper('delete from events where run_id = ?', run.id);
    tamper('delete from heads where chain = ?', run.id);
    expect(ledger.verify(INSTANCE).problems.length).toBeGreaterThan(0);
    tamper('delete from steps where run_id = ?', run.id);
    tamper('delete from runs where id = ?', run.id);
    expect(ledger.verify(INSTANCE).problems.length, 'the run vanished with all its rows').toBeGreaterThan(0);
    restore();
  });
});

describe('idempotency', () => {
  const scope = (fields: Record<string, unknown> = {}) => ({
    instance_id: INSTANCE,
    subject: 'relay:p',
    key: 'k',
    operation: 'start_run',
    digest: 'd',
    ...fields,
  });
  const once = (fields: Record<string, unknown>, effect: () => unknown) =>
    ledger.record((tx) => tx.idempotent(scope(fields), () => effect() as never));

  it('does an effect once, across a new start too', async () => {
    let effects = 0;
    const first = await once({}, () => ({ n: ++effects }));
    expect(await once({}, () => ({ n: ++effects }))).toEqual(first);
    await ledger.close();
    ledger = reopen();
    expect(await once({}, () => ({ n: ++effects }))).toEqual(first);
    expect(ledger.answered(scope())).toEqual({ answer: first });
    expect(effects).toBe(1);
  });

  it('two at the same time are one', async () => {
    let effects = 0;
    const [a, b] = await Promise.all([once({}, () => ({ n: ++effects })), once({}, () => ({ n: ++effects }))]);
    expect(a).toEqual(b);
    expect(effects).toBe(1);
  });

  it('another input or operation under the key is a conflict; another subject or instance is not', async () => {
    await once({}, () => 1);
    expect(await codeOf(once({ digest: 'e' }, () => 2))).toBe('idempotency_conflict');
    expect(await codeOf(once({ operation: 'submit_task' }, () => 2))).toBe('idempotency_conflict');
    expect(await once({ subject: 'relay:q' }, () => 2)).toBe(2);
    expect(await once({ instance_id: OTHER }, () => 3)).toBe(3);
  });

  it('a refused effect leaves no key', async () => {
    expect(
      await codeOf(
        once({}, () => {
          throw new Error('refused');
        }),
      ),
    ).toBe('refused');
    expect(await once({}, () => 'done')).toBe('done');
  });
});

describe('grants', () => {
  const share = (budget: { steps: number | null; wall_ms: number | null }, days = 1) =>
    ledger.record((tx) =>
      tx.add.grant(
        {
          id: newResourceId('grant', INSTANCE),
          instance_id: INSTANCE,
          connector_key: 'K',
          relay_key: 'R',
          operations: ['get_step'],
          executors: null,
          validations: null,
          budget,
          accept_relay_decisions: false,
          created_at: tx.at,
          expires_at: tx.at + days * 86_400_000,
        },
        operator,
      ),
    );
  const spend = (id: string, steps: number, wall_ms: number) => ledger.record((tx) => tx.spend(id, { steps, wall_ms }));

  it('count to the limit and not beyond, however many ask at once', async () => {
    const { id } = await share({ steps: 3, wall_ms: null });
    const all = await Promise.allSettled(Array.from({ length: 10 }, () => spend(id, 1, 10)));
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    expect(ledger.read.grant(id)?.spent).toEqual({ steps: 3, wall_ms: 30 });
    await ledger.close();
    ledger = reopen();
    expect(await codeOf(spend(id, 1, 1))).toBe('grant_spent');
  });

  it('never overspend, whatever is asked', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.record({ steps: fc.integer({ min: 0, max: 2 }), wall: fc.integer({ min: 0, max: 20 }) }), { maxLength: 12 }),
        async (steps, wall_ms, asked) => {
          const { id } = await share({ steps, wall_ms });
          await Promise.allSettled(asked.map((one) => spend(id, one.steps, one.wall)));
          const { spent } = ledger.read.grant(id)!;
          expect(spent.steps).toBeLessThanOrEqual(steps);
          expect(spent.wall_ms).toBeLessThanOrEqual(wall_ms);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('end with time and with withdrawal, and their credentials with them', async () => {
    const first = await share({ steps: null, wall_ms: null });
    await ledger.record((tx) =>
      tx.add.credential({ hash: 'h', kind: 'connector', connector_key: 'K', grant_id: first.id, created_at: tx.at, revoked_at: null }),
    );
    expect(ledger.read.credential('h')?.connector_key).toBe('K');
    await ledger.record((tx) => tx.revokeGrant(first.id, operator));
    expect(ledger.read.credential('h')).toBeUndefined();
    expect(await codeOf(spend(first.id, 1, 1))).toBe('grant_expired');
    const second = await share({ steps: null, wall_ms: null });
    expect(second.sequence).toBeGreaterThan(first.sequence);
    expect(ledger.read.grantFor({ connector_key: 'K', instance_id: INSTANCE })?.id).toBe(second.id);
    await clock.advance(86_400_001);
    expect(await codeOf(spend(second.id, 1, 1))).toBe('grant_expired');
    expect(Grant.parse(grantView(second)).digest).toBe(second.digest);
  });
});

describe('journal points', () => {
  it('fire where they say, once armed, and only then', async () => {
    const run = await startRun();
    for (const when of ['before', 'after'] as const) {
      const seen: unknown[] = [];
      const id = newResourceId('step', INSTANCE);
      armJournalPoint(`step.queued:${when}`, () => {
        const other = new Sqlite(join(folder, 'ledger.db'), { readonly: true });
        seen.push(other.prepare('select count(*) from steps').pluck().get());
        other.close();
      });
      const before = ledger.read.steps({ run_id: run.id, limit: 50 }).length;
      await addStep(run.id);
      expect(seen, id).toEqual([when === 'before' ? before : before + 1]);
    }
    armJournalPoint(undefined);
    journalPoint('effect.ref:before');
    expect(() => armJournalPoint('no.such:point')).toThrow(TypeError);
    expect(new Set(JOURNAL_POINTS.map(({ name }) => name)).size).toBe(JOURNAL_POINTS.length);
  });
});
