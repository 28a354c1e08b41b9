/**
 * Loaded into a process that is measured (`node --expose-gc --import probe.js …`): at SIGUSR2 it collects its garbage and writes what is
 * left to the file that MEASURED_MEMORY names.
 */
import { renameSync, writeFileSync } from 'node:fs';

const collect = async (): Promise<void> => {
  const gc = (globalThis as { gc?: () => void }).gc;
  for (let round = 0; round < 3; round++) {
    gc?.();
    // What a collection frees may be closed in the turn after it.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const file = process.env['MEASURED_MEMORY']!;
  writeFileSync(`${file}.tmp`, JSON.stringify(process.memoryUsage()));
  renameSync(`${file}.tmp`, file);
};

process.on('SIGUSR2', () => void collect());
