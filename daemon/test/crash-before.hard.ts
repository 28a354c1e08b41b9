import { describe } from 'vitest';
import { JOURNAL_POINTS } from '../src/ledger/journal.ts';
import { crashSuite, scenarioOf } from './crash-suite.ts';

describe('kill -9 just before every journal point', () => {
  crashSuite(JOURNAL_POINTS.filter(({ name }) => name.endsWith(':before')).map(({ name }) => [name, scenarioOf(name)]));
});
