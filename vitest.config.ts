import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** SQL migrations, and programs that run somewhere else, are imported as text, here and by the bundler. */
const asText = {
  name: 'as-text',
  enforce: 'pre' as const,
  async load(id: string) {
    return /\.(sql|program\.js)$/.test(id) ? `export default ${JSON.stringify(await readFile(id, 'utf8'))};` : undefined;
  },
};

/** Begins with what starts programs. Such files are long in time and often short in text, and by itself vitest begins with long texts. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification): number => Number(/\/(e2e|test)\//.test(moduleId));
    return (await super.sort(files)).toSorted((a, b) => isLong(b) - isLong(a));
  }
}

export default defineConfig({
  plugins: [asText],
  test: {
    include: ['{shared,daemon,connector,relay,scripts,e2e}/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    sequence: { sequencer: LongFirst },
    // By itself vitest leaves one core free, which on two is half of them; most tests wait for a disk or a process.
    maxWorkers: Math.max(2, availableParallelism()),
  },
});
