import { readdirSync, readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { dice } from './mutations.ts';
import { isRefusal, TARGETS, type Target } from './targets.ts';

/** Inputs that once gave way, or that stand at an edge. They are played always. */
const SEEDS = JSON.parse(readFileSync(new URL('seeds.json', import.meta.url), 'utf8')) as Readonly<Record<string, readonly string[]>>;

const playOne = async (target: Target, input: string, seed: string): Promise<'taken' | 'refused'> => {
  try {
    await target.play(input);
    return 'taken';
  } catch (error) {
    if (isRefusal(error)) return 'refused';
    throw new Error(`${target.name} gave way at ${seed}: ${JSON.stringify(input.slice(0, 3000))}`, { cause: error });
  }
};

export interface Played {
  readonly target: string;
  readonly inputs: number;
  readonly taken: number;
}

/** Plays the kept seeds and so many generated inputs on each target, by its share. @throws Error that names seed and input */
export const fuzzTargets = async (inputs: number, seed: number): Promise<Played[]> => {
  const shares = TARGETS.reduce((sum, { share }) => sum + share, 0);
  const played: Played[] = [];
  for (const [at, target] of TARGETS.entries()) {
    const by = dice(seed + at);
    const kept = SEEDS[target.name] ?? [];
    let taken = 0;
    for (const [index, input] of kept.entries()) if ((await playOne(target, input, `kept seed ${index}`)) === 'taken') taken += 1;
    const count = Math.ceil((inputs * target.share) / shares);
    for (let index = 0; index < count; index++)
      if ((await playOne(target, target.make(by), `seed ${seed}, input ${index}`)) === 'taken') taken += 1;
    played.push({ target: target.name, inputs: kept.length + count, taken });
  }
  return played;
};

const collect = (() => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
})();

/** What this process holds: bytes after a collection, and open descriptors (none where the system does not tell). */
export const held = (): { readonly heap: number; readonly descriptors: number } => {
  collect();
  let descriptors = 0;
  try {
    descriptors = readdirSync('/proc/self/fd').length;
  } catch {
    // Only Linux tells.
  }
  return { heap: process.memoryUsage().heapUsed, descriptors };
};
