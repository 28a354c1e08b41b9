import { JOURNAL_POINTS } from '@fairlead/daemon/ledger/journal';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deathsOf, isRepetition, openField, type Boundary, type CrashField, type Death } from './cases.ts';
import { seeded } from './seeded.ts';
import { storyOf } from './stories.ts';

const SEED = Number(process.env['FAIRLEAD_SEED'] ?? 20_260_704);
const PAIRS = 72;

/** DESIGN, promise 2, when two parts die in one step: two at messages, or the daemon at a journal point and another at a message. */
describe(`kill -9 of two parts in one remote step (seed ${SEED})`, () => {
  let field: CrashField;
  let boundaries: readonly Boundary[];
  beforeAll(async () => {
    field = await openField();
    boundaries = (await field.play('land', [])).boundaries.filter((at) => !isRepetition(at));
  });
  afterAll(() => field?.close());

  it('leaves each write there once', async ({ annotate }) => {
    const { pick } = seeded(SEED);
    const points = JOURNAL_POINTS.map(({ name }) => ({ point: name })).filter(({ point }) => storyOf(point) === 'land');
    const [daemon, connector, relay] = (['daemon', 'connector', 'relay'] as const).map((victim) => deathsOf(victim, boundaries)) as [
      Death[],
      Death[],
      Death[],
    ];
    const kinds = [
      [points, connector],
      [points, relay],
      [daemon, connector],
      [daemon, relay],
      [connector, relay],
      [connector, connector],
    ] as const;
    let both = 0;
    for (let at = 0; at < PAIRS; at++) {
      const [first, second] = kinds[at % kinds.length]!;
      const { fired } = await field.play('land', [pick<Death>(first), pick<Death>(second)]);
      if (fired === 2) both += 1;
    }
    // The second finds its victim dead, or its message never sent, in some of them.
    expect(both).toBeGreaterThan(PAIRS / 2);
    const { kills, wire } = field.ground;
    await annotate(`${both} pairs of deaths in one step`, 'count');
    for (const [part, count] of Object.entries(kills)) await annotate(`${count} kills of the ${part}`, 'count');
    await annotate(`${wire.frames} frames on the line`, 'count');
  });
});
