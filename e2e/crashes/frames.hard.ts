import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PartName } from '../rig/stack.ts';
import { deathsOf, isRepetition, openField, type Boundary, type CrashField } from './cases.ts';

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
      let fired = 0;
      for (const death of deaths) fired += (await field.play('land', [death])).fired;
      expect(fired).toBe(deaths.length);
      await annotate(`${fired} kills of the ${victim}`, 'count');
      await annotate(`${field.ground.wire.frames - framesBefore} frames on the line`, 'count');
    });
  }
});
