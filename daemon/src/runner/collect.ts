import { createReadStream } from 'node:fs';
import { newResourceId } from '@fairlead/shared/contract/ids';
import type { ChangedFile } from '@fairlead/shared/contract/resources';
import { BY_DAEMON } from '../core/records.ts';
import { bundleAgentCommits } from '../git/agent-commits.ts';
import { makeCommit } from '../git/commit.ts';
import { readDifference, type DiffEntry } from '../git/difference.ts';
import { takeSnapshot, type SnapshotFinding } from '../git/snapshot.ts';
import { ATTEMPTS } from '../git/store.ts';
import { journalPoint } from '../ledger/journal.ts';
import type { Workspace } from '../workspaces/workspaces.ts';
import { withCopiedSecrets } from './copied-secrets.ts';
import { artifactRow, collectOut, type NewArtifact } from './evidence.ts';
import { fenceFindings } from './fence-findings.ts';
import { sandboxOf } from './grounds.ts';
import type { PreparedScope } from './scope.ts';

/** What the executor left behind. */
interface Work {
  readonly tree: string;
  readonly findings: readonly SnapshotFinding[];
}

const changedFile = ({ path, status, added, removed, old_mode, new_mode }: DiffEntry): ChangedFile => ({
  path,
  status,
  added,
  removed,
  old_mode,
  new_mode,
});

/** The tree that the executor left: its own answer, or a snapshot of its workspace. Undefined when it left none. */
const workOf = async (scope: PreparedScope, workspace: Workspace | undefined): Promise<Work | undefined> => {
  const { attempt, ground } = scope;
  if (attempt.tree !== null) return { tree: attempt.tree, findings: [] };
  if (!workspace) return undefined;
  return takeSnapshot(ground.store, workspace.folder, workspace.index);
};

const makeSnapshotCommit = async (scope: PreparedScope, tree: string): Promise<string> => {
  const { step, attempt, ground } = scope;
  journalPoint('effect.snapshot:before');
  const commit = await makeCommit(ground.store, {
    tree,
    parents: [scope.base],
    title: step.title,
    trailers: [
      ['Fairlead-Step', step.id],
      ['Fairlead-Attempt', attempt.id],
    ],
    at: attempt.started_at,
    keep: `${ATTEMPTS}${attempt.id}`,
  });
  journalPoint('effect.snapshot:after');
  return commit;
};

/** Reads the difference while its patch text streams, redacted, into a file of evidence. */
const observe = async (scope: PreparedScope, tree: string) => {
  const { artifacts, redactor } = scope.deps;
  const masking = redactor.stream();
  const file = await artifacts.begin();
  try {
    const difference = await readDifference(scope.ground.store, scope.base, tree, (chunk) => file.write(masking.push(chunk)));
    await file.write(masking.end());
    const [patch, names, numstat] = await Promise.all([
      file.finish(),
      artifacts.store(difference.names),
      artifacts.store(difference.numstat),
    ]);
    const { attempt } = scope;
    const rows = {
      patch: artifactRow(attempt, patch, { kind: 'patch', name: 'change.patch', media_type: 'text/x-diff', redactions: masking.masked }),
      names: artifactRow(attempt, names, { kind: 'names', name: 'names.raw', media_type: 'application/octet-stream' }),
      numstat: artifactRow(attempt, numstat, { kind: 'numstat', name: 'numstat.raw', media_type: 'application/octet-stream' }),
    };
    return { difference, rows };
  } catch (error) {
    await file.discard();
    throw error;
  }
};

const activityRow = async (scope: PreparedScope): Promise<NewArtifact[]> => {
  const said = await scope.activity.finish();
  if (!said) return [];
  return [
    artifactRow(scope.attempt, said, {
      kind: 'activity',
      name: 'activity.jsonl',
      media_type: 'application/x-ndjson',
      redactions: said.redactions,
    }),
  ];
};

const outputRow = async (scope: PreparedScope): Promise<NewArtifact[]> => {
  const output = await scope.sink.finish();
  if (!output) return [];
  return [
    artifactRow(scope.attempt, output, { kind: 'output', name: 'output.log', media_type: 'text/plain', redactions: output.redactions }),
  ];
};

/**
 * Keeps the commits that the executor made in its private repository as a bundle: evidence, never ancestors of what lands. Only a
 * confined git may read that repository, so that without a sandbox there is no bundle. A bundle is compressed, so that no redactor can
 * look into it, and the agent may have committed a secret that it was given: it stays on the machine (`api/evidence`).
 */
const agentCommits = async (scope: PreparedScope, workspace: Workspace): Promise<NewArtifact[]> => {
  const { deps, executor, instance, attempt, base, signal } = scope;
  const sandbox = sandboxOf(deps.confining, instance, attempt.id);
  if (!executor.runs_code || sandbox === undefined || sandbox.kind === 'unconfined' || signal.aborted) return [];
  const { folder, out, readable } = workspace;
  const bundle = await bundleAgentCommits({ sandbox, workspace: folder, out, readable, base });
  if (!bundle) return [];
  const file = await deps.artifacts.storeStream(createReadStream(bundle.file));
  return [artifactRow(attempt, file, { kind: 'agent_commits', name: 'agent-commits.bundle', media_type: 'application/octet-stream' })];
};

/** What else the executor left besides its files. `$FAIRLEAD_OUT` is emptied into artifacts before the bundle is put there. */
const leftovers = async (scope: PreparedScope, workspace: Workspace | undefined): Promise<NewArtifact[]> => {
  const output = [...(await outputRow(scope)), ...(await activityRow(scope))];
  if (!workspace) return output;
  const files = await collectOut(scope.attempt, workspace.out, scope.deps);
  return [...output, ...files, ...(await agentCommits(scope, workspace))];
};

/**
 * Takes what the executor did as one snapshot commit on the base, with patch, names and numstat as artifacts, judges the fence, and
 * records it all in one transaction. Done again after a crash it finds the same, for nothing of it was recorded before.
 */
export const collect = async (given: PreparedScope, workspace: Workspace | undefined): Promise<void> => {
  const masking = await withCopiedSecrets(given.deps, given.ground.repository, given.effective);
  const scope = { ...given, deps: masking };
  const { deps, step, attempt } = scope;
  const work = await workOf(scope, workspace);
  const others = await leftovers(scope, workspace);
  const observed = work && (await observe(scope, work.tree));
  const empty = !observed || (observed.difference.entries.length === 0 && work.findings.length === 0);
  if (!observed || empty) {
    await deps.ledger.record((tx) => {
      if (work) tx.set.attempt(attempt.id, { tree: work.tree });
      for (const row of others) tx.add.artifact(row, BY_DAEMON);
      tx.move.step(step.id, 'collected', {}, { ...BY_DAEMON, data: { changed_files: 0 } });
    });
    return;
  }
  const { difference, rows } = observed;
  const snapshot = await makeSnapshotCommit(scope, work.tree);
  const findings = fenceFindings(difference, scope.effective, work.findings);
  await deps.ledger.record((tx) => {
    for (const row of [...Object.values(rows), ...others]) tx.add.artifact(row, BY_DAEMON);
    tx.set.attempt(attempt.id, { tree: work.tree });
    const change = tx.add.change(
      {
        id: newResourceId('chg', step.instance_id),
        step_id: step.id,
        attempt_id: attempt.id,
        run_id: step.run_id,
        instance_id: step.instance_id,
        base_commit: scope.base,
        snapshot_commit: snapshot,
        tree: work.tree,
        digest: difference.digest,
        files: difference.entries.map(changedFile),
        added: difference.added,
        removed: difference.removed,
        findings,
        patch_artifact_id: rows.patch.id,
        reason: null,
      },
      { ...BY_DAEMON, data: { digest: difference.digest, files: difference.entries.length } },
    );
    tx.move.step(step.id, 'collected', {}, { ...BY_DAEMON, data: { change_id: change.id, changed_files: difference.entries.length } });
  });
};
