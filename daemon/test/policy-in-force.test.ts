import { afterEach, describe, expect, it } from 'vitest';
import { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import type { StepRecord } from '../src/core/records.ts';
import { renewGate } from '../src/delivery/gates.ts';
import { LOCAL, approve, openShop, settled, submit, type Shop, changeGate } from './workshop.ts';

const FILES = { 'src/a.txt': 'one\ntwo\n', 'state.txt': 'ok\n' };
const policyOf = (rest: object) => ProjectPolicy.parse({ version: 1, gates: { when: [] }, ...rest });
const FREE = policyOf({});
const GATED = policyOf({ gates: { when: ['always'] } });

let shop: Shop | undefined;
afterEach(() => shop?.close());

/** A shop whose owner can change their mind about the policy. */
const open = async (first: ProjectPolicy) => {
  const owner = { policy: first };
  shop = await openShop(FILES, { policy: () => owner.policy });
  return { shop, owner };
};

const ended = async (of: Shop): Promise<StepRecord> =>
  settled(of, (await submit(of, of.run.id, { title: 'Shout', patch: of.repository.patch({ 'src/a.txt': 'one\nTWO\n' }) })).id);

const integrate = (of: Shop, step: StepRecord) => of.delivery.integrate({ change_id: step.change_id! }, { ...LOCAL, remote: false });

/** The owner changes the policy after a step has ended: what lands is held to what they say now. */
describe('the policy in force', () => {
  it('outdates a gate that was bound to another one; the new gate is bound to it and says why', async () => {
    const { shop: of, owner } = await open(GATED);
    const held = await ended(of);
    const gate = changeGate(of, held.gate_id!);
    owner.policy = policyOf({ gates: { when: ['always', 'protected'] }, fence: { protected: ['src/**'] } });
    const fresh = await renewGate(of, gate);
    expect(of.ledger.read.gate(gate.id)!.state).toBe('outdated');
    expect(fresh).toMatchObject({ state: 'pending', reasons: ['always', 'protected'] });
    expect(fresh.binding.policy_digest).not.toBe(gate.binding.policy_digest);
    expect(of.ledger.read.policy(fresh.binding.policy_digest)!.fence.protected).toEqual(['src/**']);
    expect(await renewGate(of, fresh)).toMatchObject({ id: fresh.id });
  });

  it('outdates an approval too, and the next one lands', async () => {
    const { shop: of, owner } = await open(GATED);
    const held = await ended(of);
    await approve(of, held);
    owner.policy = policyOf({ gates: { when: ['always', 'size'] } });
    await expect(integrate(of, held)).rejects.toMatchObject({ code: 'gate_outdated' });
    await approve(of, of.ledger.read.step(held.id)!);
    expect(await integrate(of, held)).toMatchObject({ state: 'integrated' });
  });

  it('holds an ungated change with a gate, where it asks for one now', async () => {
    const { shop: of, owner } = await open(FREE);
    const step = await ended(of);
    expect(step.gate_id).toBeNull();
    const before = of.repository.tip();
    owner.policy = GATED;
    await expect(integrate(of, step)).rejects.toMatchObject({
      code: 'change_not_approved',
      context: { more: { gate_id: expect.stringContaining('gate_') } },
    });
    await expect(integrate(of, step)).rejects.toMatchObject({ code: 'change_not_approved' });
    expect(of.repository.tip()).toBe(before);
    await approve(of, of.ledger.read.step(step.id)!);
    expect(await integrate(of, step)).toMatchObject({ state: 'integrated' });
  });

  it('keeps what its fence forbids now from landing, gated and approved or not', async () => {
    for (const first of [FREE, GATED]) {
      const { shop: of, owner } = await open(first);
      const step = await ended(of);
      const before = of.repository.tip();
      owner.policy = policyOf({ fence: { forbidden: ['src/**'] }, gates: first.gates });
      if (step.gate_id !== null) {
        await approve(of, step);
        await expect(integrate(of, step)).rejects.toMatchObject({ code: 'gate_outdated' });
        await approve(of, of.ledger.read.step(step.id)!);
      }
      await expect(integrate(of, step)).rejects.toMatchObject({ code: 'fence_broken' });
      expect(of.repository.tip()).toBe(before);
      expect(of.ledger.read.change(step.change_id!)!.state).toBe('held');
      if (first === FREE) await of.close();
    }
  });

  it('runs its own checks before anything lands, also on a tree that passed other ones', async () => {
    const check = (word: string) => policyOf({ validations: { unit: { run: ['grep', '-q', word, 'state.txt'], judges: ['judges/**'] } } });
    const { shop: of, owner } = await open(check('ok'));
    const step = await ended(of);
    expect(step.state).toBe('completed');
    const before = of.repository.tip();
    owner.policy = check('never');
    await expect(integrate(of, step)).rejects.toMatchObject({ code: 'integration_failed_validation' });
    expect(of.repository.tip()).toBe(before);
    // The failed check is not the one that is declared now, so that it says nothing about it.
    owner.policy = check('o');
    expect(await integrate(of, step)).toMatchObject({ state: 'integrated' });
    const rows = of.ledger.read.validations({ step_id: step.id });
    expect(rows.map(({ phase, argv, passed }) => [phase, argv[2], passed])).toEqual([
      ['change', 'ok', true],
      ['integration', 'never', false],
      ['integration', 'o', true],
    ]);
  });

  it('is read at the tip of the policy ref, and a commit that leaves the rules alone changes nothing', async () => {
    shop = await openShop(FILES, { policyRef: 'refs/heads/rules' });
    const { repository } = shop;
    repository.git('checkout', '-q', '-b', 'rules');
    repository.commit('Rules', { '.fairlead/project.yaml': 'version: 1\ngates: {when: [always]}\n' });
    repository.git('checkout', '-q', 'main');
    const move = (text: string): void => {
      repository.git('checkout', '-q', 'rules');
      repository.commit('More rules', { '.fairlead/project.yaml': text });
      repository.git('checkout', '-q', 'main');
    };
    const held = await ended(shop);
    const gate = changeGate(shop, held.gate_id!);
    move('# the same rules\nversion: 1\ngates: {when: [always]}\n');
    expect((await renewGate(shop, gate)).id).toBe(gate.id);
    move('version: 1\ngates: {when: [always, size]}\n');
    expect((await renewGate(shop, gate)).id).not.toBe(gate.id);
  });

  it('that cannot be read lands nothing, and says in which file of which commit', async () => {
    shop = await openShop({ ...FILES, '.fairlead/project.yaml': 'version: 1\ngates: {when: []}\n' });
    const { repository } = shop;
    const step = await ended(shop);
    const commit = repository.commit('Typo', { '.fairlead/project.yaml': 'versoin: 1\n' });
    await expect(integrate(shop, step)).rejects.toMatchObject({
      code: 'project_policy_invalid',
      message: expect.stringMatching(/^\.fairlead\/project\.yaml at refs\/heads\/main \([0-9a-f]{12}\): versoin/),
      context: { field: 'versoin', more: { file: '.fairlead/project.yaml', commit } },
    });
    expect(repository.tip()).toBe(commit);
  });
});
