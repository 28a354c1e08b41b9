import { afterEach, describe, expect, it } from 'vitest';
import { newResourceId } from '@fairlead/shared/contract/ids';
import { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import { systemClock } from '@fairlead/shared/kit/clock';
import type { GrantRecord, StepRecord } from '../src/core/records.ts';
import { INSTANCE, LOCAL, openShop, settled, submit, type Shop } from './workshop.ts';

const FILES = { 'src/a.txt': 'one\ntwo\n' };
const SLOW = ProjectPolicy.parse({
  version: 1,
  validations: { slow: { run: ['sh', '-c', 'test ! -e wait || sleep 20'], judges: ['judges/**'] } },
  gates: { when: [] },
});
const ON_APPROVAL = ProjectPolicy.parse({ version: 1, gates: { when: ['always'], integrate_on_approval: true } });
const PLANNER = { principal: { id: 'planner:p', name: 'p' }, authority: 'relay_asserted' as const };
let shop: Shop;
afterEach(() => shop.close());

const share = (operations: readonly string[]): Promise<GrantRecord> =>
  shop.ledger.record((tx) =>
    tx.add.grant(
      {
        id: newResourceId('grant', INSTANCE),
        instance_id: INSTANCE,
        connector_key: 'c'.repeat(43),
        relay_key: 'r'.repeat(43),
        operations,
        executors: null,
        validations: null,
        budget: { steps: null, wall_ms: null },
        accept_relay_decisions: true,
        created_at: tx.at,
        expires_at: tx.at + 3_600_000,
      },
      LOCAL,
    ),
  );

const ended = async (): Promise<StepRecord> =>
  settled(shop, (await submit(shop, shop.run.id, { title: 'Shout', patch: shop.repository.patch({ 'src/a.txt': 'one\nTWO\n' }) })).id);

/** A step is decided about, or stopped, in the very moment in which it concludes. */
describe('a step on its way to its end', () => {
  it('that is cancelled while its gate is being bound opens no gate', async () => {
    const always = ProjectPolicy.parse({ version: 1, gates: { when: ['always'] } });
    const stopNow = (id: string) => shop.ledger.record((tx) => void tx.requestStop(id, 'cancel', LOCAL));
    shop = await openShop(FILES, { policy: () => always, beforeGate: stopNow });
    expect(await ended()).toMatchObject({ state: 'cancelled', gate_id: null });
    expect(shop.ledger.read.gates({ instance_id: INSTANCE, limit: 10 })).toEqual([]);
  });

  it('keeps its change while it is checked: to discard it is refused, with the way out', async () => {
    shop = await openShop({ ...FILES, wait: 'yes\n' }, { policy: () => SLOW });
    const patch = shop.repository.patch({ 'src/a.txt': 'one\nTWO\n' });
    const { id } = await submit(shop, shop.run.id, { title: 'Shout', patch });
    while (shop.ledger.read.step(id)!.state !== 'validating') await systemClock.sleep(20);
    const change_id = shop.ledger.read.step(id)!.change_id!;
    const discarded = shop.delivery.discard({ change_id }, { ...LOCAL, remote: false });
    await expect(discarded).rejects.toMatchObject({ code: 'transition_refused' });
    await shop.ledger.record((tx) => void tx.requestStop(id, 'cancel', LOCAL));
    expect((await settled(shop, id)).state).toBe('cancelled');
    expect(await shop.delivery.discard({ change_id }, { ...LOCAL, remote: false })).toMatchObject({ state: 'discarded' });
  });
});

/** Checks of the tree that would land take a while, and rights may end meanwhile. */
describe('a right that ends while an integration is under way', () => {
  const withdrawals = {
    'a withdrawn grant': ['grant_expired', (grant: GrantRecord) => shop.ledger.record((tx) => void tx.revokeGrant(grant.id, LOCAL))],
    'a removed instance': ['not_found', () => shop.ledger.record((tx) => tx.removeInstance(INSTANCE, LOCAL))],
  } as const;

  it.each(Object.entries(withdrawals))('%s stops its checks, and the branch does not move', async (_name, [code, withdraw]) => {
    shop = await openShop(FILES, { policy: () => SLOW });
    const { ledger, repository, delivery } = shop;
    const step = await ended();
    const grant = await share(['integrate_change']);
    const human = repository.commit('Human', { wait: 'yes\n' });
    const landing = delivery.integrate(
      { change_id: step.change_id! },
      { ...PLANNER, remote: true, instance_id: INSTANCE, grant, idempotency_key: 'k' },
    );
    landing.catch(() => undefined);
    while (ledger.read.change(step.change_id!)!.state !== 'integrating') await systemClock.sleep(20);
    await systemClock.sleep(500);
    const before = systemClock.now();
    await withdraw(grant);
    await expect(landing).rejects.toMatchObject({ code });
    expect(systemClock.now() - before).toBeLessThan(10_000);
    expect(repository.tip()).toBe(human);
    expect(ledger.read.change(step.change_id!)!.state).toBe('held');
    expect(ledger.read.gitEffects({ state: 'planned' })).toEqual([]);
  });

  it('also when it ends in the moment before the effect', async () => {
    shop = await openShop(FILES, { policy: () => ProjectPolicy.parse({ version: 1, gates: { when: [] } }) });
    const { ledger, repository, delivery } = shop;
    const step = await ended();
    const grant = await share(['integrate_change']);
    const before = repository.tip();
    const deaf = ledger.onCommit((events) => {
      if (events.some(({ type }) => type === 'change.integrating')) void ledger.record((tx) => void tx.revokeGrant(grant.id, LOCAL));
    });
    const landing = delivery.integrate(
      { change_id: step.change_id! },
      { ...PLANNER, remote: true, instance_id: INSTANCE, grant, idempotency_key: 'k' },
    );
    await expect(landing).rejects.toMatchObject({ code: 'grant_expired' });
    deaf();
    expect(repository.tip()).toBe(before);
  });
});

describe('integrate_on_approval after an approval from far away', () => {
  const approveAs = (grant: GrantRecord, step: StepRecord): Promise<void> =>
    shop.ledger.record((tx) => {
      const about = { ...PLANNER, grant_digest: grant.digest };
      tx.move.gate(step.gate_id!, 'approved', { decided_at: tx.at, decided_by: PLANNER.principal, authority: 'relay_asserted' }, about);
      tx.move.step(step.id, step.warnings.length > 0 ? 'approved_with_warnings' : 'approved', {}, about);
    });

  it('does not move the branch when the grant names approve_gate alone', async () => {
    shop = await openShop(FILES, { policy: () => ON_APPROVAL });
    const step = await ended();
    const before = shop.repository.tip();
    await approveAs(await share(['approve_gate']), step);
    await systemClock.sleep(1000);
    expect(shop.repository.tip()).toBe(before);
    expect(shop.ledger.read.change(step.change_id!)!.state).toBe('held');
    expect(await shop.delivery.integrate({ change_id: step.change_id! }, { ...LOCAL, remote: false })).toMatchObject({
      state: 'integrated',
    });
  });

  it('moves it, under that grant, when it names integrate_change too', async () => {
    shop = await openShop(FILES, { policy: () => ON_APPROVAL });
    const step = await ended();
    const grant = await share(['approve_gate', 'integrate_change']);
    await approveAs(grant, step);
    for (let tries = 0; tries < 200 && shop.ledger.read.change(step.change_id!)!.state !== 'integrated'; tries++)
      await systemClock.sleep(25);
    const lines = shop.ledger.read.events({ instance_id: INSTANCE, after: 0, limit: 100 });
    expect(lines.find(({ type }) => type === 'change.integrated')).toMatchObject({
      principal: { id: 'planner:p' },
      authority: 'relay_asserted',
      data: { grant_digest: grant.digest },
    });
  });
});
