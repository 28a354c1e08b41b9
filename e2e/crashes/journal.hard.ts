import { JOURNAL_POINTS } from '@fairlead/daemon/ledger/journal';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openField, type CrashField } from './cases.ts';
import { storyOf } from './stories.ts';

/** DESIGN, promise 2, seen by a planner on the far side of relay and connector. */
describe('kill -9 of the daemon at every journal point of a remote step', () => {
  let field: CrashField;
  beforeAll(async () => {
    field = await openField();
  });
  afterAll(() => field?.close());

  it('leaves each write there once', async ({ annotate }) => {
    for (const { name } of JOURNAL_POINTS) {
      const { fired } = await field.play(storyOf(name), [{ point: name }]);
      expect([name, fired]).toEqual([name, 1]);
    }
    await annotate(`${field.ground.kills.daemon} kills of the daemon`, 'count');
    await annotate(`${field.ground.wire.frames} frames on the line`, 'count');
  });
});
