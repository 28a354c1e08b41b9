import { afterEach, describe, expect, it } from 'vitest';
import { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import { systemClock } from '@fairlead/shared/kit/clock';
import { approve, openShop, settled, submit, type Shop } from './workshop.ts';

const POLICY = ProjectPolicy.parse({ version: 1, gates: { when: ['always'], integrate_on_approval: true } });
let shop: Shop | undefined;
afterEach(() => shop?.close());

const heldStep = async (open: Shop) => {
  const step = await submit(open, open.run.id, { title: 'Shout', patch: open.repository.patch({ 'a.txt': 'ONE\n' }) });
  return settled(open, step.id);
};

const integrated = async (open: Shop, changeId: string) => {
  for (let tries = 0; tries < 200 && open.ledger.read.change(changeId)!.state !== 'integrated'; tries++) await systemClock.sleep(25);
  return open.ledger.read.change(changeId)!;
};

describe('integrate_on_approval', () => {
  it('integrates what was approved, in the name of who approved', async () => {
    shop = await openShop({ 'a.txt': 'one\n' }, { policy: () => POLICY });
    const held = await heldStep(shop);
    expect(held.state).toBe('needs_approval');
    await approve(shop, held);
    expect(await integrated(shop, held.change_id!)).toMatchObject({ state: 'integrated' });
    expect(shop.repository.read('a.txt')).toBe('ONE\n');
    const landed = shop.ledger.read
      .events({ instance_id: held.instance_id, after: 0, limit: 100 })
      .find(({ type }) => type === 'change.integrated');
    expect(landed).toMatchObject({ principal: { id: 'operator' }, authority: 'local' });
  });

  it('goes on with it after a daemon that ended between approval and integration', async () => {
    shop = await openShop({ 'a.txt': 'one\n' }, { policy: () => POLICY });
    const held = await heldStep(shop);
    await shop.scheduler.stop();
    await approve(shop, held);
    expect(shop.ledger.read.change(held.change_id!)!.state).toBe('held');
    shop.scheduler.start();
    expect(await integrated(shop, held.change_id!)).toMatchObject({ state: 'integrated' });
  });
});
