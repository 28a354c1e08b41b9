import { BY_DAEMON, type ChangeRecord } from '../core/records.ts';
import { makeCommit } from '../git/commit.ts';
import { readDifference } from '../git/difference.ts';
import { restorePaths } from '../git/restore-paths.ts';
import { ATTEMPTS } from '../git/store.ts';
import { judgesChanged } from '../policy/judges.ts';
import type { PreparedScope } from './scope.ts';
import { runChecks, type Round } from './validate.ts';

/** A round in which nothing was run. */
export const NOTHING: Round = { interrupted: false, unconfirmed: false };

/** The change of this very attempt; an earlier attempt's does not count. */
export const changeOf = ({ deps, step, attempt }: PreparedScope): ChangeRecord | undefined =>
  deps.ledger.read.changes(step.id).find((change) => change.attempt_id === attempt.id);

/** The change with everything that checks judge by put back as it is in the base. */
const withJudgesRestored = async (
  scope: PreparedScope,
  change: ChangeRecord,
  paths: readonly string[],
): Promise<{ tree: string; commit: string }> => {
  const { ground, attempt, step, base } = scope;
  const judges = new Set(paths);
  const { entries } = await readDifference(ground.store, base, change.tree);
  const tree = await restorePaths(
    ground.store,
    change.tree,
    entries.filter(({ path }) => judges.has(path)),
  );
  const commit = await makeCommit(ground.store, {
    tree,
    parents: [base],
    title: `${step.title} (judged by the base)`,
    trailers: [['Fairlead-Attempt', attempt.id]],
    at: attempt.started_at,
    keep: `${ATTEMPTS}${attempt.id}.judges`,
  });
  return { tree, commit };
};

const rounds = async (scope: PreparedScope): Promise<Round> => {
  const { deps, attempt, instance, ground, effective, signal, base } = scope;
  const change = changeOf(scope);
  const about = { deps, attempt, instance, ground, effective, signal };
  const first = await runChecks({
    ...about,
    phase: 'change',
    commit: change?.snapshot_commit ?? base,
    tree: change?.tree ?? attempt.tree ?? base,
  });
  if (!change || first.interrupted) return first;
  const judges = judgesChanged(
    change.files.map(({ path }) => path),
    effective,
  );
  if (judges.paths.length === 0) return first;
  const restored = await withJudgesRestored(scope, change, judges.paths);
  const second = await runChecks({ ...about, phase: 'judges_restored', ...restored, names: new Set(judges.validations) });
  return { interrupted: second.interrupted, unconfirmed: first.unconfirmed || second.unconfirmed };
};

/**
 * Runs the declared checks on what was collected, and those whose judges the change touches a second time with the base's judges.
 * Work that did not finish, or that broke the fence, is not run at all.
 * @throws FairleadError when the checkout could not be made ready
 */
export const check = async (scope: PreparedScope): Promise<Round> => {
  const { attempt, signal } = scope;
  const broken = changeOf(scope)?.findings.some(({ severity }) => severity === 'failed') ?? false;
  if (attempt.state !== 'finished' || broken) return NOTHING;
  if (signal.aborted) return { interrupted: true, unconfirmed: false };
  try {
    return await rounds(scope);
  } catch (error) {
    // What is stopped in the middle of its provisioning ends with an error; that it was stopped says more.
    if (signal.aborted) return { interrupted: true, unconfirmed: false };
    throw error;
  }
};

/** Records that the checkout for the checks could not be made ready. */
export const checkoutFailed = ({ deps, step }: PreparedScope, reason: { readonly code: string; readonly message: string }): Promise<void> =>
  deps.ledger.record((tx) => void tx.move.step(step.id, 'preparation_failed', { reason }, BY_DAEMON));
