import { runJson } from '@fairlead/e2e/rig/processes';
import { script } from '@fairlead/e2e/rig/programs';
import { figureOf, type Figure, type Limit } from './figures.ts';

/** The pool fills between the pairs. In ms. */
const LONGEST = 900_000;

interface WorkspacePair {
  readonly pooled: number;
  readonly cold: number;
  readonly worktree: number;
}

/**
 * A workspace of an agent, with its private `.git`, against a bare `git worktree add` of the same 5,000 files, with and without the pool.
 * The base differs by 20 files from what the pool holds. The daemon's own benchmark, in the given folder.
 */
export const measureWorkspaces = async (where: string, folder: string, pairs: number, limit: Limit): Promise<readonly Figure[]> => {
  const argv = [...script('bench-workspace'), folder, String(pairs)];
  const measured = await runJson<readonly WorkspacePair[]>({ name: 'workspace', argv, timeoutMs: LONGEST });
  const against = (ours: 'pooled' | 'cold') => measured.map((pair) => ({ ours: pair[ours], baseline: pair.worktree }));
  return [
    figureOf(`workspace ready from the pool, 5,000 files, ${where}`, 'ms', against('pooled'), limit),
    figureOf(`workspace made cold, 5,000 files, ${where}`, 'ms', against('cold'), undefined),
  ];
};
