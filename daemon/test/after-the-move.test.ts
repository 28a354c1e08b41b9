import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { afterEach, describe, expect, it } from 'vitest';
import type { StepRecord } from '../src/core/records.ts';
import { createDelivery } from '../src/delivery/delivery.ts';
import { LOCAL, openShop, settled, submit, type Shop } from './workshop.ts';

const DECIDER = { ...LOCAL, remote: false };
const FREE = ProjectPolicy.parse({ version: 1, gates: { when: [] } });
let shop: Shop | undefined;
afterEach(() => shop?.close());

const finished = async (): Promise<{ open: Shop; step: StepRecord }> => {
  shop = await openShop({ 'a.txt': 'one\n', 'b.txt': 'b\n' }, { policy: () => FREE });
  const patch = shop.repository.patch({ 'a.txt': 'ONE\n' });
  return { open: shop, step: await settled(shop, (await submit(shop, shop.run.id, { title: 'Shout', patch })).id) };
};

const landings = ({ repository }: Shop, step: StepRecord): string[] =>
  repository.git('log', '--format=%H', `--grep=Fairlead-Change: ${step.change_id}`, 'main').split('\n').filter(Boolean);

/** A ledger whose writes fail as a full disk lets them, when `fails` says so; everything else is the real one. */
const failing = (ledger: Shop['ledger'], fails: (text: string) => boolean): Shop['ledger'] => ({
  ...ledger,
  record: (work) => (fails(work.toString()) ? Promise.reject(new FairleadError('disk_full')) : ledger.record(work)),
});

const immutable = (path: string, on: boolean): boolean => {
  try {
    execFileSync('chattr', [on ? '+i' : '-i', path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

describe('after the target has moved', () => {
  it('a work tree that cannot go along is told beside `integrated`, and nothing lands twice', async ({ skip }) => {
    const { open, step } = await finished();
    const file = join(open.repository.path, 'a.txt');
    // What git sees as clean and still cannot replace: the same as a file that a person opens in that very moment.
    if (!immutable(file, true)) skip('needs a file system with immutable files');
    try {
      const change = await open.delivery.integrate({ change_id: step.change_id! }, DECIDER);
      expect(change).toMatchObject({
        state: 'integrated',
        integrated: { to: open.repository.tip() },
        reason: { code: 'work_tree_left_behind' },
      });
      expect(await open.delivery.integrate({ change_id: step.change_id! }, DECIDER)).toEqual(change);
    } finally {
      immutable(file, false);
    }
    expect(landings(open, step)).toHaveLength(1);
    expect(open.ledger.read.gitEffects({ change_id: step.change_id! }).map(({ state }) => state)).toEqual(['reconciled']);
    await expect(open.delivery.discard({ change_id: step.change_id! }, DECIDER)).rejects.toMatchObject({ code: 'transition_refused' });
  });

  it('a journal that cannot be written does not put the change back', async () => {
    const { open, step } = await finished();
    const delivery = createDelivery({ ...open, ledger: failing(open.ledger, (text) => text.includes("'applied'")) });
    expect(await delivery.integrate({ change_id: step.change_id! }, DECIDER)).toMatchObject({ state: 'integrated' });
    expect(landings(open, step)).toHaveLength(1);
    expect(open.ledger.read.gitEffects({ change_id: step.change_id! }).map(({ state }) => state)).toEqual(['reconciled']);
  });

  it('a ledger that cannot be written for long leaves a doubt, which asking again settles', async () => {
    const { open, step } = await finished();
    let full = true;
    const sleep = async (): Promise<void> => undefined;
    const delivery = createDelivery({
      ...open,
      clock: { ...open.clock, sleep },
      ledger: failing(open.ledger, (text) => full && (text.includes("'applied'") || text.includes('recordLanded'))),
    });
    await expect(delivery.integrate({ change_id: step.change_id! }, DECIDER)).rejects.toMatchObject({ code: 'effect_in_doubt' });
    expect(open.ledger.read.change(step.change_id!)!.state).toBe('integrating');
    await expect(delivery.discard({ change_id: step.change_id! }, DECIDER)).rejects.toMatchObject({ code: 'transition_refused' });
    full = false;
    expect(await delivery.integrate({ change_id: step.change_id! }, DECIDER)).toMatchObject({ state: 'integrated' });
    expect(landings(open, step)).toHaveLength(1);
  });

  it('content that the target has already is not committed again', async () => {
    const { open, step } = await finished();
    const human = open.repository.commit('The same by hand', { 'a.txt': 'ONE\n' });
    await expect(open.delivery.integrate({ change_id: step.change_id! }, DECIDER)).rejects.toMatchObject({ code: 'already_in_target' });
    expect(open.repository.tip()).toBe(human);
    expect(await open.delivery.discard({ change_id: step.change_id! }, DECIDER)).toMatchObject({ state: 'discarded' });
  });

  it('before it has moved, a held index still is a refusal', async () => {
    const { open, step } = await finished();
    const lock = join(open.repository.path, '.git', 'index.lock');
    writeFileSync(lock, '');
    await expect(open.delivery.integrate({ change_id: step.change_id! }, DECIDER)).rejects.toMatchObject({ code: 'target_moved' });
    rmSync(lock);
    expect(open.ledger.read.change(step.change_id!)!.state).toBe('held');
    expect(await open.delivery.integrate({ change_id: step.change_id! }, DECIDER)).toMatchObject({ state: 'integrated', reason: null });
  });
});
