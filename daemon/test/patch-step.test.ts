import { afterEach, describe, expect, it } from 'vitest';
import { LOCAL, approve, openShop, settled, submit, type Shop } from './workshop.ts';

const FILES = { 'src/a.txt': 'one\ntwo\n', 'README.md': 'Hello\n' };
let shop: Shop | undefined;
afterEach(() => shop?.close());

describe('a patch step', () => {
  it('travels from the queue to a gate, and through it to the branch', async () => {
    shop = await openShop(FILES);
    const before = shop.repository.tip();
    const patch = shop.repository.patch({ 'src/a.txt': 'one\nTWO\n' });
    const step = await submit(shop, shop.run.id, { title: 'Shout', patch });
    const held = await settled(shop, step.id);
    expect(held).toMatchObject({ state: 'needs_approval', base_commit: before, confinement: 'not_needed', warnings: ['no_validations'] });
    const change = shop.ledger.read.change(held.change_id!)!;
    expect(change).toMatchObject({ state: 'held', base_commit: before, added: 1, removed: 1 });
    expect(change.files.map(({ path }) => path)).toEqual(['src/a.txt']);
    const gate = shop.ledger.read.gate(held.gate_id!)!;
    expect(gate.binding).toMatchObject({ target_commit: before, resulting_tree: change.tree, diff_digest: change.digest });
    expect(
      shop.ledger.read
        .artifacts({ step_id: step.id })
        .map(({ kind }) => kind)
        .toSorted(),
    ).toEqual(['names', 'numstat', 'patch']);

    await expect(shop.delivery.integrate({ change_id: change.id }, { ...LOCAL, remote: false })).rejects.toMatchObject({
      code: 'change_not_approved',
    });
    await approve(shop, held);
    const landed = await shop.delivery.integrate({ change_id: change.id }, { ...LOCAL, remote: false, idempotency_key: 'k1' });
    expect(landed).toMatchObject({ state: 'integrated', integrated: { ref: 'refs/heads/main', from: before } });
    expect(shop.repository.tip()).toBe(landed.integrated!.to);
    expect(shop.repository.read('src/a.txt')).toBe('one\nTWO\n');
    expect(shop.repository.git('log', '-1', '--format=%s%n%b')).toContain(`Fairlead-Step: ${step.id}`);
    expect(shop.repository.git('status', '--porcelain')).toBe('');
    expect(await shop.delivery.integrate({ change_id: change.id }, { ...LOCAL, remote: false, idempotency_key: 'k1' })).toEqual(landed);
    expect(shop.ledger.verify(shop.run.instance_id).problems).toEqual([]);
  });

  it("ends in git's words when the patch does not apply", async () => {
    shop = await openShop(FILES);
    const patch = shop.repository.patch({ 'src/a.txt': 'one\nTWO\n' });
    shop.repository.commit('Other', { 'src/a.txt': 'different\n' });
    const ended = await settled(shop, (await submit(shop, shop.run.id, { patch })).id);
    expect(ended).toMatchObject({ state: 'failed_executor', reason: { code: 'patch_not_applicable' } });
  });
});
