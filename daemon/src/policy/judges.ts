import { compilePatterns } from './glob.ts';
import type { EffectivePolicy } from './effective.ts';

/** A change to what checks judge by: it never completes alone, and those checks run again with the judges of the base. */
export interface JudgesChanged {
  /** Paths of the change that some validation judges by. */
  readonly paths: readonly string[];
  /** Names of the validations that judge by one of them. */
  readonly validations: readonly string[];
}

/** Finds which validations judge by which of the changed paths, added ones included: a new config file judges too. */
export const judgesChanged = (paths: readonly string[], effective: Pick<EffectivePolicy, 'validations'>): JudgesChanged => {
  const touched = new Set<string>();
  const validations = effective.validations.filter(({ judges }) => {
    const own = paths.filter(compilePatterns(judges));
    for (const path of own) touched.add(path);
    return own.length > 0;
  });
  return { paths: paths.filter((path) => touched.has(path)), validations: validations.map(({ name }) => name) };
};
