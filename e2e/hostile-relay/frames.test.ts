import { describe } from 'vitest';
import { ATTACKS, BELOW_THE_FRAMES, framesSuite } from './frames-suite.ts';

/** One of each kind; `npm run test:hard` plays them all. */
const SAMPLE = new Set([
  'a frame of no known type',
  'an input with __proto__',
  'a command line beside the operation',
  'time that has run backwards',
  'one number for two requests',
  'a frame that breaks off in the middle',
]);

describe('a relay that breaks the protocol', () => {
  framesSuite(
    ATTACKS.filter(([name]) => SAMPLE.has(name)),
    BELOW_THE_FRAMES.filter(([name]) => SAMPLE.has(name)),
  );
});
