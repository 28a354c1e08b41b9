/**
 * The ledger by itself, as a process of its own: `ledger ours FOLDER STEPS` plays the transactions that the runner makes for a
 * patch step, eight steps in flight; `ledger raw FOLDER ROWS` inserts durable single rows with bare better-sqlite3.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { newResourceId } from '@fairlead/shared/contract/ids';
import { TaskSpec } from '@fairlead/shared/contract/task';
import { systemClock } from '@fairlead/shared/kit/clock';
import { BY_DAEMON } from '@fairlead/daemon/core/records';
import type { Ledger } from '@fairlead/daemon/ledger/ledger';
import { openLedger } from '@fairlead/daemon/ledger/open-ledger';

const IN_FLIGHT = 8;
const COMMIT = 'a'.repeat(40);
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
const instanceId = `ins_${[...randomBytes(26)].map((byte) => BASE32[byte % 32]).join('')}`;
const spec = TaskSpec.parse({ title: 'Measure', patch: 'x'.repeat(400), executor: 'patch' });

const addInstance = (ledger: Ledger, repository: string): Promise<string> =>
  ledger.record((tx) => {
    const record = {
      id: instanceId,
      label: 'bench',
      repository,
      target: 'refs/heads/main',
      policy_ref: 'refs/heads/main',
      listed_branches: [],
      default_executor: 'patch',
      unconfined: false,
      nonce: 'A'.repeat(22),
      origin_digest: null,
      added_at: tx.at,
      removed_at: null,
    };
    tx.add.instance(record, BY_DAEMON);
    return tx.add.run(
      {
        id: newResourceId('run', instanceId),
        instance_id: instanceId,
        title: 'Bench',
        target: 'refs/heads/main',
        submitted_by: BY_DAEMON.principal,
        authority: 'local',
      },
      BY_DAEMON,
    ).id;
  });

const artifact = (stepId: string, runId: string, attemptId: string, kind: 'patch' | 'numstat' | 'names' | 'output') => ({
  id: newResourceId('art', instanceId),
  instance_id: instanceId,
  run_id: runId,
  step_id: stepId,
  attempt_id: attemptId,
  kind,
  name: kind,
  media_type: 'text/plain',
  size: 100,
  sha256: 'b'.repeat(64),
  redactions: 0,
});

/** One step from queue to end, with the transactions of the runner: 13 lines of history in 6 commits. */
const playStep = async (ledger: Ledger, runId: string): Promise<void> => {
  const id = newResourceId('step', instanceId);
  const attemptId = newResourceId('att', instanceId);
  const at = { instance_id: instanceId, run_id: runId, step_id: id };
  await ledger.record((tx) => {
    tx.add.step(
      {
        id,
        run_id: runId,
        instance_id: instanceId,
        title: 'Measure',
        executor_requested: 'patch',
        simulated: false,
        base: 'target',
        timeout_ms: 60_000,
        remote: false,
        grant_id: null,
        submitted_by: BY_DAEMON.principal,
        authority: 'local',
      },
      spec,
      BY_DAEMON,
    );
  });
  await ledger.record((tx) => {
    tx.move.step(id, 'prepared', {}, BY_DAEMON);
    tx.add.attempt(
      {
        id: attemptId,
        ...at,
        executor: 'patch',
        simulated: false,
        confinement: null,
        base_commit: null,
        policy_digest: null,
        policy_commit: null,
        reason: null,
        exit_code: null,
        signal: null,
        pid: null,
        pid_started: null,
        tree: null,
      },
      BY_DAEMON,
    );
  });
  await ledger.record(
    (tx) => void tx.move.step(id, 'started', { base_commit: COMMIT, executor_used: 'patch', confinement: 'not_needed' }, BY_DAEMON),
  );
  await ledger.record((tx) => {
    tx.move.attempt(attemptId, 'finished', { tree: COMMIT }, BY_DAEMON);
    tx.move.step(id, 'executed', {}, BY_DAEMON);
  });
  await ledger.record((tx) => {
    const rows = (['patch', 'numstat', 'names', 'output'] as const).map((kind) => artifact(id, runId, attemptId, kind));
    for (const row of rows) tx.add.artifact(row, BY_DAEMON);
    tx.add.change(
      {
        id: newResourceId('chg', instanceId),
        attempt_id: attemptId,
        ...at,
        base_commit: COMMIT,
        snapshot_commit: COMMIT,
        tree: COMMIT,
        digest: `sha256:${'c'.repeat(64)}`,
        files: [],
        added: 1,
        removed: 1,
        findings: [],
        patch_artifact_id: rows[0]!.id,
        reason: null,
      },
      BY_DAEMON,
    );
    tx.move.step(id, 'collected', {}, BY_DAEMON);
  });
  await ledger.record((tx) => void tx.move.step(id, 'completed', {}, BY_DAEMON));
};

const ours = async (folder: string, steps: number): Promise<number> => {
  const ledger = openLedger({ file: join(folder, 'ledger.db'), clock: systemClock });
  let events = 0;
  ledger.onCommit((written) => {
    events += written.length;
  });
  const runId = await addInstance(ledger, join(folder, 'repository'));
  events = 0;
  let left = steps;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      while (left-- > 0) await playStep(ledger, runId);
    }),
  );
  const perSecond = (events / (performance.now() - started)) * 1000;
  await ledger.close();
  return perSecond;
};

const raw = (folder: string, rows: number): number => {
  const db = new Sqlite(join(folder, 'raw.db'));
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.exec('create table lines (id integer primary key, text text not null)');
  const insert = db.prepare('insert into lines (text) values (?)');
  const text = 'x'.repeat(500);
  const started = performance.now();
  for (let at = 0; at < rows; at++) insert.run(text);
  const perSecond = (rows / (performance.now() - started)) * 1000;
  db.close();
  return perSecond;
};

const [which, folder, count] = process.argv.slice(2);
const perSecond = which === 'ours' ? await ours(folder!, Number(count)) : raw(folder!, Number(count));
process.stdout.write(`${JSON.stringify({ per_second: perSecond })}\n`);
