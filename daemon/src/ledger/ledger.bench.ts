import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TaskSpec } from '@fairlead/shared/contract/task';
import { newResourceId } from '@fairlead/shared/contract/ids';
import { systemClock } from '@fairlead/shared/kit/clock';
import { openDatabase } from '@fairlead/shared/kit/sqlite';
import { BY_DAEMON } from '../core/records.ts';
import type { StepEvent } from '../core/step.ts';
import type { Ledger } from './ledger.ts';
import { openLedger } from './open-ledger.ts';

/** The way of a step that is tried again for ever: seven events a round, each its own durable unit of work. */
const ROUND: readonly StepEvent[] = ['prepared', 'started', 'executed', 'collected', 'validation_failed', 'retried'];
const INSTANCE = `ins_${'a'.repeat(26)}`;
/** What the row of an event of such a step takes, as `dbstat` shows it. */
const ROW_BYTES = 246;

const prepare = async (ledger: Ledger, steps: number): Promise<string[]> =>
  ledger.record((tx) => {
    const at = tx.at;
    tx.add.instance(
      {
        id: INSTANCE,
        label: 'bench',
        repository: '/bench',
        target: 'refs/heads/main',
        policy_ref: 'refs/heads/main',
        listed_branches: [],
        default_executor: 'patch',
        unconfined: false,
        nonce: 'n',
        origin_digest: null,
        added_at: at,
        removed_at: null,
      },
      BY_DAEMON,
    );
    const run = tx.add.run(
      {
        id: newResourceId('run', INSTANCE),
        instance_id: INSTANCE,
        title: 'bench',
        target: 'refs/heads/main',
        submitted_by: BY_DAEMON.principal,
        authority: 'local',
      },
      BY_DAEMON,
    );
    return Array.from({ length: steps }, () => {
      const step = tx.add.step(
        {
          id: newResourceId('step', INSTANCE),
          run_id: run.id,
          instance_id: INSTANCE,
          title: 'bench',
          executor_requested: 'patch',
          simulated: false,
          base: 'target',
          timeout_ms: 1000,
          remote: false,
          grant_id: null,
          submitted_by: BY_DAEMON.principal,
          authority: 'local',
        },
        TaskSpec.parse({}),
        BY_DAEMON,
      );
      return step.id;
    });
  });

/** Durable events per second with so many steps in flight, each awaiting every event before its next one. */
const ledgerRate = async (folder: string, inFlight: number, ms: number): Promise<number> => {
  const ledger = openLedger({ file: join(folder, 'ledger.db'), clock: systemClock });
  const steps = await prepare(ledger, inFlight);
  const turns = new Map(steps.map((id) => [id, 0]));
  const during = async (span: number): Promise<number> => {
    const begin = systemClock.monotonic();
    let events = 0;
    await Promise.all(
      steps.map(async (id) => {
        for (let turn = turns.get(id)!; systemClock.monotonic() - begin < span; turn++) {
          await ledger.record((tx) => tx.move.step(id, ROUND[turn % ROUND.length]!, {}, BY_DAEMON));
          turns.set(id, turn + 1);
          events++;
        }
      }),
    );
    return (events * 1000) / (systemClock.monotonic() - begin);
  };
  await during(ms / 2);
  const rate = await during(ms);
  const { problems } = ledger.verify(INSTANCE);
  if (problems.length > 0) throw new Error(`the chain is broken: ${problems[0]!.message}`);
  await ledger.close();
  return rate;
};

/**
 * The baseline: one row per durable transaction, straight through the driver. A row takes as many bytes as that of an event does, and
 * has a unique key, as an event has.
 */
const rawRate = (folder: string, ms: number): number => {
  const db = openDatabase(join(folder, 'raw.db'));
  db.exec('create table rows (id integer primary key, name text not null unique, body text not null)');
  const insert = db.prepare('insert into rows (name, body) values (?, ?)');
  const body = 'x'.repeat(ROW_BYTES - newResourceId('step', INSTANCE).length);
  const during = (span: number): number => {
    const begin = systemClock.monotonic();
    let rows = 0;
    for (; systemClock.monotonic() - begin < span; rows++) insert.run(newResourceId('step', INSTANCE), body);
    return (rows * 1000) / (systemClock.monotonic() - begin);
  };
  during(ms / 2);
  const rate = during(ms);
  db.close();
  return rate;
};

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

/**
 * Interleaved pairs on the same disk, each after half a window of warming up: a write-ahead log that still grows costs more than one
 * that is written over, on both sides.
 * @param folder where the databases are made; default: a temporary folder */
export const ledgerBench = async ({
  pairs = 5,
  ms = 1000,
  inFlight = 8,
  folder = tmpdir(),
}: { pairs?: number; ms?: number; inFlight?: number; folder?: string } = {}) => {
  const ledger: number[] = [];
  const raw: number[] = [];
  const ratios: number[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const place = mkdtempSync(join(folder, 'fairlead-ledger-'));
    try {
      raw.push(rawRate(place, ms));
      ledger.push(await ledgerRate(place, inFlight, ms));
      ratios.push(ledger.at(-1)! / raw.at(-1)!);
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
  }
  return { events_per_second: median(ledger), baseline: median(raw), ratio: median(ratios) };
};
