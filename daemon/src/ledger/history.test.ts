import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TaskSpec } from '@fairlead/shared/contract/task';
import { newResourceId } from '@fairlead/shared/contract/ids';
import { manualClock } from '@fairlead/shared/kit/clock';
import { BY_DAEMON, type EventRecord } from '../core/records.ts';
import type { Ledger, Tx } from './ledger.ts';
import { openLedger } from './open-ledger.ts';

const INSTANCES = ['a', 'b'].map((letter) => `ins_${letter.repeat(26)}`);
const ALL = { after: 0, limit: 1_000_000 };
const by = { submitted_by: BY_DAEMON.principal, authority: 'local' } as const;
const task = TaskSpec.parse({});

const addInstance = (tx: Tx, id: string): void =>
  tx.add.instance(
    {
      id,
      label: 'x',
      repository: `/${id}`,
      target: 'refs/heads/main',
      policy_ref: 'refs/heads/main',
      listed_branches: [],
      default_executor: 'patch',
      unconfined: false,
      nonce: 'n',
      origin_digest: null,
      added_at: 1,
      removed_at: null,
    },
    BY_DAEMON,
  );
const addRun = (tx: Tx, instance_id: string): string =>
  tx.add.run({ id: newResourceId('run', instance_id), instance_id, title: 'x', target: 'refs/heads/main', ...by }, BY_DAEMON).id;
const addStep = (tx: Tx, instance_id: string, run_id: string): string => {
  const id = newResourceId('step', instance_id);
  const fields = { id, run_id, instance_id, title: 'x', executor_requested: 'patch', simulated: false, base: 'target' };
  tx.add.step({ ...fields, timeout_ms: 1, remote: false, grant_id: null, ...by }, task, BY_DAEMON);
  return id;
};

/** Runs of many lengths, around the distance of the marks that reading starts from, their lines mixed with one another. */
const LENGTHS = [2, 61, 62, 63, 64, 126, 127, 128, 400];
interface Run {
  readonly instance_id: string;
  readonly run_id: string;
  readonly steps: readonly string[];
}

describe('the history of a run', () => {
  let folder: string;
  let ledger: Ledger;
  let runs: Run[];
  const whole = new Map<string, EventRecord[]>();

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fairlead-history-'));
    ledger = openLedger({ file: join(folder, 'ledger.db'), clock: manualClock() });
    runs = await ledger.record((tx) => {
      for (const id of INSTANCES) addInstance(tx, id);
      return INSTANCES.flatMap((instance_id) =>
        LENGTHS.map(() => {
          const run_id = addRun(tx, instance_id);
          return { instance_id, run_id, steps: [addStep(tx, instance_id, run_id), addStep(tx, instance_id, run_id)] };
        }),
      );
    });
    for (let turn = 0; turn < Math.max(...LENGTHS); turn++) {
      const due = runs.filter((_, index) => turn < LENGTHS[index % LENGTHS.length]!);
      await Promise.all(
        due.map(({ instance_id, run_id, steps }) =>
          ledger.record((tx) => tx.note({ type: 'validation.recorded', instance_id, run_id, step_id: steps[turn % 2]!, ...BY_DAEMON })),
        ),
      );
    }
    for (const id of INSTANCES) whole.set(id, ledger.read.events({ instance_id: id, ...ALL }));
  });

  afterAll(async () => {
    await ledger.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is linked line by line, in the run and in the instance', () => {
    for (const instance_id of INSTANCES) {
      const lines = whole.get(instance_id)!;
      expect(lines.map((line) => line.instance_seq)).toEqual(lines.map((_, index) => index + 1));
      lines.slice(1).forEach((line, index) => expect(line.instance_prev_hash).toBe(lines[index]!.hash));
    }
    for (const { instance_id, run_id } of runs) {
      const lines = ledger.read.events({ instance_id, run_id, ...ALL });
      expect(lines.map((line) => line.run_seq)).toEqual(lines.map((_, index) => index + 1));
      lines.slice(1).forEach((line, index) => expect(line.prev_hash).toBe(lines[index]!.hash));
    }
    for (const id of INSTANCES) expect(ledger.verify(id).problems).toEqual([]);
  });

  it('any part of a run and of a step is what the whole instance holds of it', () => {
    fc.assert(
      fc.property(
        fc.nat(1_000),
        fc.nat(3_000),
        fc.integer({ min: 1, max: 500 }),
        fc.constantFrom('run', 'step', 'both'),
        (pick, after, limit, what) => {
          const { instance_id, run_id, steps } = runs[pick % runs.length]!;
          const step_id = what === 'run' ? undefined : steps[pick % 2];
          const expected = whole
            .get(instance_id)!
            .filter((line) => line.instance_seq > after && line.run_id === run_id && (step_id === undefined || line.step_id === step_id))
            .slice(0, limit);
          const of = { instance_id, after, limit, step_id, ...(what !== 'step' && { run_id }) };
          expect(ledger.read.events(of)).toEqual(expected);
        },
      ),
    );
  });

  it('is not given for another instance, another run or one that there is not', () => {
    const [one, other] = [runs[0]!, runs[LENGTHS.length]!];
    const none = (of: Partial<Run> & { readonly step_id?: string }) =>
      expect(ledger.read.events({ instance_id: one.instance_id, ...ALL, ...of })).toEqual([]);
    none({ run_id: other.run_id });
    none({ instance_id: other.instance_id, run_id: one.run_id });
    none({ instance_id: other.instance_id, step_id: one.steps[0]! });
    none({ run_id: runs[1]!.run_id, step_id: one.steps[0]! });
    none({ run_id: 'run_x' });
    none({ step_id: 'step_x' });
    none({ instance_id: 'ins_x' });
  });

  it('shows a unit of work its own lines, and nobody those of one that was undone', async () => {
    const { instance_id, run_id } = runs[0]!;
    const before = ledger.read.events({ instance_id, run_id, ...ALL });
    const undone = ledger.record((tx) => {
      tx.note({ type: 'validation.recorded', instance_id, run_id, ...BY_DAEMON });
      expect(tx.read.events({ instance_id, run_id, ...ALL })).toHaveLength(before.length + 1);
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    expect(ledger.read.events({ instance_id, run_id, ...ALL })).toEqual(before);
  });

  it('the number of an instance that was undone is given to the next one', async () => {
    const [undone, next] = [`ins_${'c'.repeat(26)}`, `ins_${'d'.repeat(26)}`];
    const results = await Promise.allSettled([
      ledger.record((tx) => {
        addInstance(tx, undone);
        throw new Error('undone');
      }),
      ledger.record((tx) => addInstance(tx, next)),
      ledger.record((tx) => addInstance(tx, undone)),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    for (const id of [next, undone]) expect(ledger.verify(id)).toMatchObject({ events: 1, problems: [] });
  });
});
