import { defineConfig } from 'vitest/config';
import quick from './vitest.config.ts';

/** The long suites of `npm run test:hard`: one file at a time, since each fills the machine and some measure while they do. */
export default defineConfig({
  ...quick,
  test: {
    ...quick.test,
    include: ['{shared,daemon,connector,relay,scripts,e2e}/**/*.hard.ts'],
    testTimeout: 1_800_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
});
