import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PartName } from '../rig/stack.ts';
import { deathsOf, isRepetition, nameOf, openField, type Boundary, type CrashField } from './cases.ts';

/** How often a planner has to wait depends on how long everything else takes: such a message may not be sent this time. */
const depends = (death: string): boolean => / wait_step \d+$/.test(death);

/** DESIGN, promise 2: nothing is lost and nothing happens twice, whichever part dies at whichever message of a remote step. */
describe('kill -9 before and after every message between connector and relay', () => {
  let field: CrashField;
  let boundaries: readonly Boundary[];
  beforeAll(async () => {
    field = await openField();
    boundaries = (await field.play('land', [])).boundaries.filter((at) => !isRepetition(at));
  });
  afterAll(() => field?.close());

  for (const victim of ['daemon', 'connector', 'relay'] as const satisfies readonly PartName[]) {
    it(`of the ${victim}`, async ({ annotate }) => {
      const deaths = deathsOf(victim, boundaries);
      const framesBefore = field.ground.wire.frames;
      const missed: string[] = [];
      for (const death of deaths) if ((await field.play('land', [death])).fired === 0) missed.push(nameOf(death));
      expect(missed.filter((death) => !depends(death))).toEqual([]);
      expect(missed.length).toBeLessThan(deaths.length / 4);
      await annotate(`${deaths.length - missed.length} kills of the ${victim}`, 'count');
      await annotate(`${field.ground.wire.frames - framesBefore} frames on the line`, 'count');
    });
  }
});
