import { afterEach, describe, expect, it } from 'vitest';
import { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import type { StepRecord } from '../src/core/records.ts';
import { armJournalPoint, JOURNAL_POINTS } from '../src/ledger/journal.ts';
import { LOCAL, approve, changeGate, openShop, settled, submit, type Shop } from './workshop.ts';

/**
 * Attack 7, at every journal point between the gate and the compare-and-swap: somebody moves the target exactly there. Rule: a gate is bound to
 * content and target; the ref moves by compare-and-swap only, from what was validated; a human commit is never lost.
 */

const FILES = { 'src/a.txt': 'one\ntwo\n', 'src/b.txt': 'b\n' };
const DECIDER = { ...LOCAL, remote: false };
let shop: Shop | undefined;
afterEach(async () => {
  armJournalPoint(undefined);
  await shop?.close();
});
const held = async (of: Shop): Promise<StepRecord> =>
  settled(of, (await submit(of, of.run.id, { title: 'Shout', patch: of.repository.patch({ 'src/a.txt': 'one\nTWO\n' }) })).id);

/** Journal points on the way from an approval to the moved ref, in their order. */
const ON_THE_WAY = JOURNAL_POINTS.map(({ name }) => name).filter((name) =>
  /^(gate\.approved|step\.approved|change\.integrating|effect\.objects|effect\.ref:before)/.test(name),
);
/** Ways in which a target moves; each answers where it is then. */
const MOVES: Readonly<Record<string, (of: Shop) => string>> = {
  'a commit on top': (of) => of.repository.commit('Human', { 'src/b.txt': 'B\n' }),
  'a rewritten tip': (of) => {
    of.repository.write({ 'src/b.txt': 'other\n' });
    of.repository.git('commit', '-q', '-a', '--amend', '-m', 'Rewritten');
    return of.repository.tip();
  },
};
/** Each point once; the moves take turns. */
const CASES = ON_THE_WAY.map((point, index) => [point, Object.keys(MOVES)[index % 2]!] as const);

describe('the target moves', { timeout: 60_000 }, () => {
  it.each(CASES)('at %s, by %s: nothing of ours lands on it, and a person decides anew', async (point, move) => {
    shop = await openShop(FILES, { policy: () => ProjectPolicy.parse({ version: 1, gates: { when: ['always'] } }) });
    const of = shop;
    const step = await held(of);
    let human = '';
    armJournalPoint(point, () => (human = MOVES[move]!(of)));
    await approve(of, step);
    await expect(of.delivery.integrate({ change_id: step.change_id! }, DECIDER)).rejects.toMatchObject({ code: 'gate_outdated' });
    expect(human).not.toBe('');
    expect(of.repository.tip()).toBe(human);
    expect(of.repository.git('status', '--porcelain')).toBe('');
    const now = of.ledger.read.step(step.id)!;
    expect(of.ledger.read.gate(step.gate_id!)!.state).toBe('outdated');
    expect(changeGate(of, now.gate_id!)).toMatchObject({ state: 'pending', binding: { target_commit: human } });
    expect(of.ledger.read.gitEffects({ state: 'planned' })).toEqual([]);
    // The new gate lets the same change through, on what the human left.
    armJournalPoint(undefined);
    await approve(of, now);
    expect(await of.delivery.integrate({ change_id: step.change_id! }, DECIDER)).toMatchObject({
      state: 'integrated',
      integrated: { from: human },
    });
    expect(of.repository.git('log', '--format=%H').split('\n')).toContain(human);
  });

  it('counts its interleavings', async ({ annotate }) => {
    expect(CASES.length).toBeGreaterThan(8);
    await annotate(`${CASES.length} interleavings`, 'count');
  });
});
