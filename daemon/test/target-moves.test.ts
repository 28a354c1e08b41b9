import { afterEach, describe, expect, it } from 'vitest';
import { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import { systemClock } from '@fairlead/shared/kit/clock';
import { renewGate } from '../src/delivery/gates.ts';
import type { StepRecord } from '../src/core/records.ts';
import { LOCAL, approve, openShop, settled, submit, type Shop, changeGate } from './workshop.ts';

const FILES = { 'src/a.txt': 'one\ntwo\n', 'src/b.txt': 'b\n', 'state.txt': 'ok\n' };
const DECIDER = { ...LOCAL, remote: false };
let shop: Shop | undefined;
afterEach(() => shop?.close());

const heldStep = async (open: Shop, files: Record<string, string> = { 'src/a.txt': 'one\nTWO\n' }): Promise<StepRecord> =>
  settled(open, (await submit(open, open.run.id, { title: 'Shout', patch: open.repository.patch(files) })).id);

const integrate = (open: Shop, step: StepRecord) => open.delivery.integrate({ change_id: step.change_id! }, DECIDER);

/** Threats row 7: every way in which the target moves between gate, approval and compare-and-swap. */
describe('the target moves', () => {
  it('between gate and approval: the gate is outdated and a new one shows the new content', async () => {
    shop = await openShop(FILES);
    const held = await heldStep(shop);
    const human = shop.repository.commit('Human', { 'src/b.txt': 'B\n' });
    const gate = changeGate(shop, held.gate_id!);
    const fresh = await renewGate(shop, gate);
    expect(fresh.id).not.toBe(gate.id);
    expect(shop.ledger.read.gate(gate.id)!.state).toBe('outdated');
    expect(fresh).toMatchObject({
      state: 'pending',
      reasons: gate.reasons,
      binding: { target_commit: human, diff_digest: gate.binding.diff_digest },
    });
    expect(fresh.binding.resulting_tree).not.toBe(gate.binding.resulting_tree);
    expect(shop.ledger.read.step(held.id)).toMatchObject({ state: 'needs_approval', gate_id: fresh.id });
  });

  it('between approval and integration: nothing moves, and the new gate lets the new content through', async () => {
    shop = await openShop(FILES);
    const held = await heldStep(shop);
    await approve(shop, held);
    const human = shop.repository.commit('Human', { 'src/b.txt': 'B\n' });
    await expect(integrate(shop, held)).rejects.toMatchObject({
      code: 'gate_outdated',
      context: { more: { gate_id: expect.stringContaining('gate_') } },
    });
    expect(shop.repository.tip()).toBe(human);
    const again = shop.ledger.read.step(held.id)!;
    expect(shop.ledger.read.gate(again.gate_id!)).toMatchObject({ state: 'pending', binding: { target_commit: human } });
    await expect(integrate(shop, held)).rejects.toMatchObject({ code: 'change_not_approved' });
    await approve(shop, again);
    expect(await integrate(shop, held)).toMatchObject({ state: 'integrated', integrated: { from: human } });
    expect(shop.repository.read('src/a.txt') + shop.repository.read('src/b.txt')).toBe('one\nTWO\nB\n');
  });

  it('between the check and the compare-and-swap: the human commit stays, and the gate is outdated', async () => {
    shop = await openShop(FILES);
    const held = await heldStep(shop);
    await approve(shop, held);
    let human = '';
    const { repository } = shop;
    const deaf = shop.ledger.onCommit((events) => {
      if (!human && events.some(({ type }) => type === 'change.integrating'))
        human = repository.commit('Human, just now', { 'src/b.txt': 'now\n' });
    });
    await expect(integrate(shop, held)).rejects.toMatchObject({ code: 'gate_outdated' });
    deaf();
    expect(repository.tip()).toBe(human);
    expect(shop.ledger.read.change(held.change_id!)!.state).toBe('held');
    expect(shop.ledger.read.gitEffects({ state: 'planned' })).toEqual([]);
  });

  it('without a gate: the replayed tree is checked, and a failing one does not land', async () => {
    const policy = ProjectPolicy.parse({
      version: 1,
      validations: { unit: { run: ['grep', '-q', 'ok', 'state.txt'], judges: ['judges/**'] } },
      gates: { when: [] },
    });
    shop = await openShop(FILES, { policy: () => policy });
    const step = await heldStep(shop);
    expect(step).toMatchObject({ state: 'completed' });
    const human = shop.repository.commit('Human', { 'state.txt': 'bad\n' });
    await expect(integrate(shop, step)).rejects.toMatchObject({ code: 'integration_failed_validation' });
    expect(shop.repository.tip()).toBe(human);
    expect(shop.ledger.read.change(step.change_id!)!.state).toBe('failed_validation');
    shop.repository.commit('Repaired', { 'state.txt': 'ok again\n' });
    expect(await integrate(shop, step)).toMatchObject({ state: 'integrated' });
    expect(shop.ledger.read.validations({ step_id: step.id }).map(({ phase, passed }) => [phase, passed])).toEqual([
      ['change', true],
      ['integration', false],
      ['integration', true],
    ]);
  });

  it('into a conflict: it is said with the paths, and nothing moves', async () => {
    shop = await openShop(FILES, { policy: () => ProjectPolicy.parse({ version: 1, gates: { when: [] } }) });
    const step = await heldStep(shop);
    const human = shop.repository.commit('Human', { 'src/a.txt': 'one\ndeux\n' });
    await expect(integrate(shop, step)).rejects.toMatchObject({ code: 'change_conflicts', context: { more: { paths: ['src/a.txt'] } } });
    expect(shop.repository.tip()).toBe(human);
    expect(shop.ledger.read.change(step.change_id!)!.state).toBe('conflict');
  });
});

describe('integration', () => {
  it('refuses a dirty checked-out target, moves nothing and can be tried again', async () => {
    shop = await openShop(FILES);
    const held = await heldStep(shop);
    await approve(shop, held);
    const before = shop.repository.tip();
    shop.repository.write({ 'src/b.txt': 'not committed\n' });
    await expect(integrate(shop, held)).rejects.toMatchObject({ code: 'target_dirty' });
    expect(shop.repository.tip()).toBe(before);
    expect(shop.repository.read('src/b.txt')).toBe('not committed\n');
    shop.repository.git('checkout', '-q', '--', 'src/b.txt');
    expect(await integrate(shop, held)).toMatchObject({ state: 'integrated' });
  });

  it('is held by a halt, whatever it has done already', async () => {
    const policy = ProjectPolicy.parse({
      version: 1,
      validations: { slow: { run: ['sh', '-c', 'test ! -e wait || sleep 20'], judges: ['judges/**'] } },
      gates: { when: [] },
    });
    shop = await openShop(FILES, { policy: () => policy });
    const { ledger, repository } = shop;
    const step = await heldStep(shop);
    const human = repository.commit('Human', { wait: 'yes\n' });
    const landing = integrate(shop, step);
    landing.catch(() => undefined);
    while (ledger.read.attempt(step.attempt_id!)!.pid === null || ledger.read.change(step.change_id!)!.state !== 'integrating')
      await systemClock.sleep(20);
    await systemClock.sleep(300);
    await ledger.record((tx) => {
      tx.setHalted(true);
      tx.note({ type: 'daemon.halted', instance_id: step.instance_id, ...LOCAL });
    });
    await expect(landing).rejects.toMatchObject({ code: 'halted' });
    expect(repository.tip()).toBe(human);
    expect(ledger.read.change(step.change_id!)!.state).toBe('held');
    await ledger.record((tx) => tx.setHalted(false));
    repository.git('rm', '-q', 'wait');
    repository.commit('Again');
    expect(await integrate(shop, step)).toMatchObject({ state: 'integrated' });
  });

  it('waits for the change that a change stands on', async () => {
    shop = await openShop(FILES, { policy: () => ProjectPolicy.parse({ version: 1, gates: { when: [] } }) });
    const first = await heldStep(shop);
    const patch = '--- a/src/a.txt\n+++ b/src/a.txt\n@@ -1,2 +1,2 @@\n one\n-TWO\n+THREE\n';
    const second = await settled(
      shop,
      (await submit(shop, shop.run.id, { base: first.id, patch: `diff --git a/src/a.txt b/src/a.txt\n${patch}` })).id,
    );
    expect(second).toMatchObject({ base_commit: shop.ledger.read.change(first.change_id!)!.snapshot_commit });
    await expect(integrate(shop, second)).rejects.toMatchObject({ code: 'base_not_integrated' });
    await integrate(shop, first);
    expect(await integrate(shop, second)).toMatchObject({ state: 'integrated' });
    expect(shop.repository.read('src/a.txt')).toBe('one\nTHREE\n');
  });

  it('does not bring what was discarded, and integrates one thing once', async () => {
    shop = await openShop(FILES, { policy: () => ProjectPolicy.parse({ version: 1, gates: { when: [] } }) });
    const step = await heldStep(shop);
    const results = await Promise.all([integrate(shop, step), integrate(shop, step)]);
    expect(results[1]).toEqual(results[0]);
    const other = await heldStep(shop, { 'src/b.txt': 'BB\n' });
    expect(await shop.delivery.discard({ change_id: other.change_id! }, DECIDER)).toMatchObject({ state: 'discarded' });
    await expect(integrate(shop, other)).rejects.toMatchObject({ code: 'transition_refused' });
    await expect(shop.delivery.integrate({ change_id: step.change_id! }, { ...DECIDER, remote: true })).rejects.toMatchObject({
      code: 'authority_required',
    });
  });
});
