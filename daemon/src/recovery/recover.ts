import { STEP_STATES } from '@fairlead/shared/contract/states';
import type { Log } from '@fairlead/shared/kit/log';
import { BY_DAEMON, type AttemptRecord, type Reason, type StepRecord } from '../core/records.ts';
import type { StepEvent } from '../core/step.ts';
import type { Delivery } from '../delivery/delivery.ts';
import type { ExecutorRegistry } from '../executors/registry.ts';
import type { ArtifactFiles } from '../ledger/artifact-files.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { AgentHomes } from '../runner/agent-homes.ts';
import { endSurvivors, nameOf } from '../process/process-table.ts';
import type { Workspaces } from '../workspaces/workspaces.ts';

export interface RecoveryOptions {
  readonly ledger: Ledger;
  readonly executors: Pick<ExecutorRegistry, 'find'>;
  readonly workspaces: Pick<Workspaces, 'sweep'>;
  readonly homes: Pick<AgentHomes, 'sweep'>;
  readonly artifacts: Pick<ArtifactFiles, 'sweep'>;
  readonly delivery: Pick<Delivery, 'settle'>;
  readonly log: Log;
}

/** What was found after a start, for the log and `status`. */
export interface Recovered {
  readonly requeued: number;
  readonly reentered: number;
  readonly cancelled: number;
  readonly indeterminate: number;
  readonly integrations: number;
  readonly survivors: number;
}

const IN_FLIGHT = ['preparing', 'running', 'collecting', 'validating'] as const;

/** Ends what an attempt left running. Answers whether all of it is gone. */
const endLeftovers = async (attempt: AttemptRecord | undefined): Promise<'none' | 'ended' | 'unconfirmed'> => {
  if (!attempt) return 'none';
  const found = await endSurvivors(attempt.id, nameOf(attempt));
  return found === 'was_gone' ? 'none' : found;
};

type Fate = 'requeued' | 'reentered' | 'cancelled' | 'indeterminate' | 'stuck';

/** What an interrupted step becomes: decision 0005, one row each. A stop that was asked for is done once nothing runs any more. */
export const fateOf = (
  step: Pick<StepRecord, 'state' | 'stop_why'>,
  /** Whether doing it again does the same, or the agent can go on in its session. */
  repeatable: boolean,
  leftovers: 'none' | 'ended' | 'unconfirmed',
  /** What the executor came to is recorded, so that nothing of it is in doubt, and nothing is to be done again. */
  known = false,
): Fate => {
  if (leftovers === 'unconfirmed') return 'stuck';
  if (known || step.state === 'collecting' || step.state === 'validating') return 'reentered';
  if (step.stop_why !== null) return 'cancelled';
  if (step.state === 'preparing') return 'requeued';
  return repeatable ? 'requeued' : 'indeterminate';
};

const INTERRUPTED = { code: 'daemon_interrupted', message: 'The daemon ended while the step was under way' } as const;

/** The event of each fate, and its reason. */
const ENDS: Readonly<Record<Exclude<Fate, 'reentered'>, { readonly event: StepEvent; readonly reason: Reason | null }>> = {
  requeued: { event: 'requeued', reason: null },
  cancelled: {
    event: 'cancelled',
    reason: { code: 'cancelled', message: 'Stopped on request; the daemon ended meanwhile, and nothing of the step runs any more' },
  },
  indeterminate: {
    event: 'outcome_unknown',
    reason: {
      code: 'outcome_unknown',
      message: 'The daemon ended while the executor worked; what it did outside its workspace cannot be known',
    },
  },
  stuck: { event: 'stuck', reason: { code: 'stop_unconfirmed', message: 'Something that the step started may still run' } },
};

const apply = async (ledger: Ledger, step: StepRecord, attempt: AttemptRecord | undefined, fate: Fate, resumes: boolean): Promise<void> => {
  if (fate === 'reentered') return;
  const { event, reason } = ENDS[fate];
  await ledger.record((tx) => {
    if (attempt?.state === 'active') tx.move.attempt(attempt.id, 'lost', { reason: INTERRUPTED }, BY_DAEMON);
    tx.move.step(step.id, event, { reason, ...(attempt && resumes && fate === 'requeued' && { resumes: attempt.id }) }, BY_DAEMON);
  });
};

/** Whether a later attempt may go on with the session of this one. */
const mayResume = ({ read }: Ledger, attemptId: string): boolean => {
  const attempt = read.attempt(attemptId);
  const step = attempt && read.step(attempt.step_id);
  return step !== undefined && (!STEP_STATES[step.state].end || STEP_STATES[step.state].retry !== 'no');
};

/**
 * Takes up what the last daemon left in mid-flight, before anything is served: survivors are ended by the mark of their attempt and by pid
 * and start time, each step goes where decision 0005 says, interrupted integrations are settled by looking at the ref, and leftovers are
 * removed. It may be interrupted itself and done again. The scheduler then enters those again whose executor has ended.
 */
export const recover = async ({ ledger, executors, workspaces, homes, artifacts, delivery, log }: RecoveryOptions): Promise<Recovered> => {
  const count = { requeued: 0, reentered: 0, cancelled: 0, indeterminate: 0, stuck: 0, survivors: 0, integrations: 0 };
  const keep = new Set<string>();
  for (const step of ledger.read.stepsIn(IN_FLIGHT)) {
    const attempt = step.attempt_id === null ? undefined : ledger.read.attempt(step.attempt_id);
    const leftovers = await endLeftovers(attempt);
    if (leftovers !== 'none') count.survivors += 1;
    const executor = executors.find(attempt?.executor ?? step.executor_requested);
    // An agent goes on in its own session, on the files that it left: that is no repetition.
    const resumes = step.state === 'running' && attempt?.session !== null && executor?.profile?.resumes === true;
    const known = step.state === 'running' && attempt !== undefined && attempt.state !== 'active';
    const fate = fateOf(step, (executor?.replayable ?? false) || resumes, leftovers, known);
    await apply(ledger, step, attempt, fate, resumes);
    if (attempt && (fate === 'reentered' || (fate === 'requeued' && resumes))) keep.add(attempt.id);
    count[fate] += 1;
  }
  for (const change of ledger.read.changesIn(['integrating'])) {
    const attempt = ledger.read.attempt(change.attempt_id);
    if ((await endLeftovers(attempt)) !== 'none') count.survivors += 1;
    // One repository that cannot be read must not keep the others from being served; its change stays as it is.
    await delivery.settle(change).then(
      () => void (count.integrations += 1),
      (error: unknown) => log.error({ err: error, change: change.id }, 'an interrupted integration could not be settled'),
    );
  }
  await workspaces.sweep(keep);
  await homes.sweep((attemptId) => mayResume(ledger, attemptId));
  await artifacts.sweep();
  if (Object.values(count).some((number) => number > 0)) log.info(count, 'recovered');
  return count;
};
