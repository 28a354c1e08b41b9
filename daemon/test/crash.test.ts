import { describe, expect, it } from 'vitest';
import { JOURNAL_POINTS } from '../src/ledger/journal.ts';
import { crashSuite, scenarioOf } from './crash-suite.ts';

/** Around each effect outside of the ledger, and one commit of each scenario; `npm run test:hard` kills at every point. */
const SAMPLE = /^(effect\.\w+|change\.integrated):|^(step\.queued|gate\.rejected|step\.requeued|step\.stop_requested):before$/;
const sample = JOURNAL_POINTS.filter(({ name }) => SAMPLE.test(name));

describe('kill -9 around what cannot be taken back', () => {
  crashSuite(sample.map(({ name }) => [name, scenarioOf(name)]));

  it('plays a point of each scenario', () => {
    expect(new Set(sample.map(({ name }) => scenarioOf(name)))).toEqual(new Set(['land', 'reject', 'retry', 'cancel']));
  });
});
