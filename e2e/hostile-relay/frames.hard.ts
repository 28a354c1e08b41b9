import { describe } from 'vitest';
import { ATTACKS, BELOW_THE_FRAMES, framesSuite } from './frames-suite.ts';

describe('a relay that breaks the protocol in every way', () => {
  framesSuite(ATTACKS, BELOW_THE_FRAMES);
});
