import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { TaskSpec } from '@fairlead/shared/contract/task';
import { newResourceId } from '@fairlead/shared/contract/ids';
import { manualClock } from '@fairlead/shared/kit/clock';
import { BY_DAEMON, type StepRecord } from '../core/records.ts';
import type { Ledger, Tx } from './ledger.ts';
import { openLedger } from './open-ledger.ts';

const INSTANCE = `ins_${'a'.repeat(26)}`;
const ROUND = ['prepared', 'started', 'executed', 'collected', 'validation_failed', 'retried'] as const;

const addInstance = (tx: Tx): void =>
  tx.add.instance(
    {
      id: INSTANCE,
      label: 'x',
      repository: '/r',
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
const by = { submitted_by: BY_DAEMON.principal, authority: 'local' } as const;
const addRun = (tx: Tx) =>
  tx.add.run({ id: newResourceId('run', INSTANCE), instance_id: INSTANCE, title: 'x', target: 'refs/heads/main', ...by }, BY_DAEMON);
const addStep = (tx: Tx, run_id: string): StepRecord =>
  tx.add.step(
    {
      id: newResourceId('step', INSTANCE),
      run_id,
      instance_id: INSTANCE,
      title: 'x',
      executor_requested: 'patch',
      simulated: false,
      base: 'target',
      timeout_ms: 1,
      remote: false,
      grant_id: null,
      ...by,
    },
    TaskSpec.parse({}),
    BY_DAEMON,
  );

/** What a unit does in turn; `fails` makes it throw at its end. */
const unit = fc.record({
  acts: fc.array(fc.constantFrom('move', 'add', 'look', 'warn', 'set'), { maxLength: 5 }),
  which: fc.nat(3),
  fails: fc.boolean(),
});

it('units leave what they did and nothing of those that threw, whether memory or a savepoint undid them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(unit, { minLength: 1, maxLength: 4 }), { maxLength: 8 }), async (batches) => {
      const folder = mkdtempSync(join(tmpdir(), 'fairlead-late-'));
      const open = (): Ledger => openLedger({ file: join(folder, 'ledger.db'), clock: manualClock() });
      let ledger = open();
      try {
        const { run, first } = await ledger.record((tx) => {
          addInstance(tx);
          const started = addRun(tx);
          return { run: started.id, first: addStep(tx, started.id).id };
        });
        // The model: how many rounds each step has moved, and its warnings, in the order of their numbers.
        let model = [{ id: first, turns: 0, warnings: [] as string[], pid: 0 }];
        for (const batch of batches) {
          await Promise.allSettled(
            batch.map(({ acts, which, fails }) =>
              ledger.record((tx) => {
                const next = structuredClone(model);
                for (const act of acts) {
                  const of = next[which % next.length]!;
                  if (act === 'move') tx.move.step(of.id, ROUND[of.turns++ % ROUND.length]!, {}, BY_DAEMON);
                  if (act === 'move' && of.turns % ROUND.length === 0) of.warnings = [];
                  if (act === 'warn') tx.set.step(of.id, { warnings: (of.warnings = [...of.warnings, 'w']) });
                  if (act === 'set') tx.set.step(of.id, { base_commit: String((of.pid += 1)) });
                  if (act === 'add') next.push({ id: addStep(tx, run).id, turns: 0, warnings: [], pid: 0 });
                  if (act === 'look') expect(tx.read.steps({ run_id: run, limit: 99 })).toEqual(next.map(({ id }) => tx.read.step(id)));
                }
                if (fails) throw new Error('no');
                model = next;
              }),
            ),
          ).then((results) => results.forEach((one, index) => expect(one.status).toBe(batch[index]!.fails ? 'rejected' : 'fulfilled')));
        }
        const held = model.map(({ id }) => ledger.read.step(id)!);
        expect(ledger.read.run(run)!.steps).toBe(model.length);
        expect(held.map(({ warnings, base_commit }) => [warnings, base_commit])).toEqual(
          model.map(({ warnings, pid }) => [warnings, pid === 0 ? null : String(pid)]),
        );
        expect(ledger.read.steps({ run_id: run, limit: 99 })).toEqual(held);
        await ledger.close();
        ledger = open();
        expect(model.map(({ id }) => ledger.read.step(id))).toEqual(held);
        expect(ledger.verify(INSTANCE)).toMatchObject({
          problems: [],
          events: 2 + model.length + model.reduce((sum, { turns }) => sum + turns, 0),
        });
      } finally {
        await ledger.close();
        rmSync(folder, { recursive: true, force: true });
      }
    }),
    { numRuns: 60 },
  );
});
