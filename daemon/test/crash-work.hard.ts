import { describe } from 'vitest';
import { JOURNAL_POINTS } from '../src/ledger/journal.ts';
import { crashSuite } from './crash-suite.ts';

const BETWEEN = /^(step\.(started|executed|collected)|attempt\.ended|change\.recorded|effect\.snapshot):/;

describe('kill -9 around work that is not repeated by itself', () => {
  crashSuite(JOURNAL_POINTS.filter(({ name }) => BETWEEN.test(name)).map(({ name }) => [name, 'work']));
});
