import { createHash } from 'node:crypto';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { newResourceId } from '@fairlead/shared/contract/ids';
import { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import type { Outcome } from '@fairlead/shared/contract/states';
import { TaskSpec } from '@fairlead/shared/contract/task';
import type { ManualClock } from '@fairlead/shared/kit/clock';
import { BY_DAEMON } from '../../src/core/records.ts';
import { stoppedOutcome, type Executor } from '../../src/executors/executor.ts';
import type { ArtifactFiles } from '../../src/ledger/artifact-files.ts';
import { effectivePolicy } from '../../src/policy/effective.ts';
import type { Stages } from '../../src/runner/runner.ts';
import { preparedScope, rowsOf, type PreparedScope } from '../../src/runner/scope.ts';
import { changeOf } from '../../src/runner/check.ts';

/** How one attempt of a simulated agent goes. It is written into the task's goal, so that a seed says all. */
export interface Mood {
  readonly outcome: Outcome;
  /** How long it works, and how long each other stage takes, in ms. */
  readonly works: number;
  readonly stage: number;
  readonly changes: boolean;
  readonly fence: boolean;
  readonly passes: boolean;
  /** Preparation fails. */
  readonly unprepared: boolean;
  readonly leaves: boolean;
}

/** What outlives a daemon: evidence, what agents did, and where the target stands. */
export interface World {
  readonly clock: ManualClock;
  readonly files: Map<string, Buffer>;
  /** Each time that an executor began to work. */
  readonly works: { readonly step: string; readonly attempt: string; readonly executor: string }[];
  readonly landed: string[];
  working: number;
  most: number;
}

export const POLICY = ProjectPolicy.parse({ version: 1, validations: { unit: { run: ['true'] } }, gates: { when: ['remote'] } });
export const COMMIT = 'a'.repeat(40);
const hex = (text: string, length = 40): string => createHash('sha256').update(text).digest('hex').slice(0, length);

/** Evidence in memory, so that a history needs no disk and goes the same way each time. */
export const filesIn = ({ files }: World): ArtifactFiles => {
  const store = async (bytes: Uint8Array | string) => {
    const sha256 = hex(Buffer.from(bytes).toString('base64'), 64);
    files.set(sha256, Buffer.from(bytes));
    return { sha256, size: Buffer.byteLength(Buffer.from(bytes)) };
  };
  const none = async (): Promise<never> => {
    throw new Error('The simulation keeps no streams');
  };
  return { store, storeStream: none, begin: none, read: none, stream: none, path: (sha256) => sha256, sweep: async () => 0 };
};

const moodOf = (goal: string | undefined, attempt: number): Mood => {
  const moods = JSON.parse(goal ?? '[]') as Mood[];
  const last = moods.at(-1)!;
  // A limit that is always reached would go on for ever.
  return moods[attempt - 1] ?? { ...last, outcome: last.outcome === 'quota' ? 'finished' : last.outcome };
};

const moodIn = ({ deps, step, attempt }: PreparedScope): Mood => moodOf(deps.ledger.read.task(step.id)?.spec.goal, attempt.number);

/** An agent whose mind is its mood. `again`: doing it again does the same; `agent`: it goes on in its session. */
export const executorIn = (world: World, id: string, kind: 'again' | 'once' | 'agent', alive: () => boolean): Executor => ({
  id,
  kind: 'command',
  description: 'simulated',
  needs: 'store',
  runs_code: false,
  replayable: kind === 'again',
  simulated: true,
  prompted: false,
  ...(kind === 'agent' && {
    profile: {
      model: undefined,
      approval: 'auto' as const,
      network: 'none' as const,
      budget: {},
      limits: {},
      time_ms: undefined,
      permission_ms: 1000,
      rules: { allow: [], deny: [] },
      resumes: true,
    },
  }),
  unavailable: () => undefined,
  checked: 'simulated',
  async execute(order, report) {
    const attempt = world.works.filter(({ step }) => step === order.step_id).length + 1;
    const mood = moodOf(order.task.goal, attempt);
    world.works.push({ step: order.step_id, attempt: order.attempt_id, executor: id });
    world.working += 1;
    world.most = Math.max(world.most, world.working);
    if (kind === 'agent') report.session(`session-${attempt}`);
    try {
      await world.clock.sleep(mood.works, order.signal).catch(() => undefined);
    } finally {
      if (alive()) world.working -= 1;
    }
    if (order.signal.aborted) return { outcome: stoppedOutcome(order.signal), stopped: mood.leaves ? 'unconfirmed' : 'confirmed' };
    const tree = hex(order.attempt_id);
    if (mood.outcome === 'quota') return { outcome: 'quota', resets_in_ms: 60_000, tree };
    return { outcome: mood.outcome, tree };
  },
});

const pass = (scope: Pick<PreparedScope, 'signal'>, world: World, ms: number): Promise<void> => world.clock.sleep(ms, scope.signal);

/** The stages as they record what they find; what they find is the mood's. */
export const stagesIn = (world: World): Stages => ({
  async prepare(scope) {
    const { deps, step, attempt, instance, signal } = scope;
    const mood = moodOf(deps.ledger.read.task(step.id)?.spec.goal, attempt.number);
    await pass(scope, world, mood.stage);
    if (mood.unprepared) throw new FairleadError('requirement_missing', { detail: 'simulated' });
    const owner = { source: 'daemon_config', ref: null, commit: null, policy: POLICY } as const;
    const effective = effectivePolicy(owner, deps.ledger.read.task(step.id)?.spec ?? TaskSpec.parse({}));
    signal.throwIfAborted();
    await deps.ledger.record((tx) => {
      tx.add.policy(effective);
      tx.set.attempt(attempt.id, { base_commit: COMMIT, policy_digest: effective.digest, confinement: 'not_needed' });
      tx.move.step(step.id, 'started', { base_commit: COMMIT, executor_used: scope.executor.id, confinement: 'not_needed' }, BY_DAEMON);
    });
    const { attempt: now, ...rows } = rowsOf(deps.ledger, step.id);
    return { scope: preparedScope({ ...scope, ...rows, instance, attempt: now! }), workspace: undefined };
  },
  async collect(scope) {
    const { deps, step, attempt } = scope;
    const mood = moodIn(scope);
    await world.clock.sleep(mood.stage);
    await deps.ledger.record((tx) => {
      if (mood.changes && attempt.tree !== null) {
        const about = { instance_id: step.instance_id, run_id: step.run_id, step_id: step.id, attempt_id: attempt.id };
        const findings = mood.fence ? [{ rule: 'link_leaves_tree', severity: 'failed' as const, path: 'a', message: 'simulated' }] : [];
        const patch = tx.add.artifact(
          {
            ...about,
            id: newResourceId('art', step.instance_id),
            kind: 'patch',
            name: 'p',
            media_type: 'text/x-diff',
            sha256: hex(attempt.id, 64),
            size: 1,
            redactions: {},
          },
          BY_DAEMON,
        );
        tx.add.change(
          {
            ...about,
            id: newResourceId('chg', step.instance_id),
            base_commit: COMMIT,
            snapshot_commit: hex(`${attempt.id} commit`),
            tree: attempt.tree,
            digest: `sha256:${hex(attempt.id, 64)}`,
            files: [],
            added: 1,
            removed: 0,
            findings,
            patch_artifact_id: patch.id,
            reason: null,
          },
          BY_DAEMON,
        );
      }
      tx.move.step(step.id, 'collected', {}, BY_DAEMON);
    });
  },
  async check(scope) {
    const { deps, step, attempt, signal } = scope;
    const mood = moodIn(scope);
    const change = changeOf(scope);
    if (attempt.state !== 'finished' || change?.findings.length) return { interrupted: false, unconfirmed: false };
    if (!signal.aborted) await pass(scope, world, mood.stage).catch(() => undefined);
    if (signal.aborted) return { interrupted: true, unconfirmed: false };
    if (deps.ledger.read.validations({ step_id: step.id, attempt_id: attempt.id }).length > 0)
      return { interrupted: false, unconfirmed: false };
    await deps.ledger.record((tx) =>
      tx.add.validation(
        {
          id: newResourceId('val', step.instance_id),
          step_id: step.id,
          attempt_id: attempt.id,
          run_id: step.run_id,
          instance_id: step.instance_id,
          name: 'unit',
          phase: 'change',
          required: true,
          passed: mood.passes,
          argv: ['true'],
          exit_code: mood.passes ? 0 : 1,
          signal: null,
          timed_out: false,
          duration_ms: mood.stage,
          confinement: 'not_needed',
          tree: attempt.tree ?? COMMIT,
          output_artifact_id: null,
          output_tail: '',
          started_at: tx.at,
        },
        BY_DAEMON,
      ),
    );
    return { interrupted: false, unconfirmed: false };
  },
});
