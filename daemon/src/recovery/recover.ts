import type { Log } from '@fairlead/shared/kit/log';
import { BY_DAEMON, type AttemptRecord, type StepRecord } from '../core/records.ts';
import type { Delivery } from '../delivery/delivery.ts';
import type { ExecutorRegistry } from '../executors/registry.ts';
import type { ArtifactFiles } from '../ledger/artifact-files.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { endSurvivor } from '../process/process-table.ts';
import type { Workspaces } from '../workspaces/workspaces.ts';

export interface RecoveryOptions {
  readonly ledger: Ledger;
  readonly executors: Pick<ExecutorRegistry, 'find'>;
  readonly workspaces: Pick<Workspaces, 'sweep'>;
  readonly artifacts: Pick<ArtifactFiles, 'sweep'>;
  readonly delivery: Pick<Delivery, 'settle'>;
  readonly log: Log;
}

/** What was found after a start, for the log and `status`. */
export interface Recovered {
  readonly requeued: number;
  readonly reentered: number;
  readonly indeterminate: number;
  readonly integrations: number;
  readonly survivors: number;
}

const IN_FLIGHT = ['preparing', 'running', 'collecting', 'validating'] as const;

/** Ends what an attempt left running. Answers whether all of it is gone. */
const endLeftovers = async (attempt: AttemptRecord | undefined): Promise<'none' | 'ended' | 'unconfirmed'> => {
  if (!attempt || attempt.pid === null || attempt.pid_started === null) return 'none';
  const found = await endSurvivor({ pid: attempt.pid, started: attempt.pid_started });
  return found === 'was_gone' ? 'none' : found;
};

type Fate = 'requeued' | 'reentered' | 'indeterminate' | 'stuck';

/** What an interrupted step becomes: decision 0005, one row each. */
export const fateOf = (step: Pick<StepRecord, 'state'>, replayable: boolean, leftovers: 'none' | 'ended' | 'unconfirmed'): Fate => {
  if (leftovers === 'unconfirmed') return 'stuck';
  if (step.state === 'preparing') return 'requeued';
  if (step.state === 'running') return replayable ? 'requeued' : 'indeterminate';
  return 'reentered';
};

const apply = async (ledger: Ledger, step: StepRecord, attempt: AttemptRecord | undefined, fate: Fate): Promise<void> => {
  if (fate === 'reentered') return;
  const interrupted = { code: 'daemon_interrupted', message: 'The daemon ended while the step was under way' };
  const reason =
    fate === 'indeterminate'
      ? { code: 'outcome_unknown', message: 'The daemon ended while the executor worked; what it did outside its workspace cannot be known' }
      : { code: 'stop_unconfirmed', message: 'Something that the step started may still run' };
  await ledger.record((tx) => {
    if (attempt?.state === 'active') tx.move.attempt(attempt.id, 'lost', { reason: interrupted }, BY_DAEMON);
    // A stop that was asked for is carried out by not beginning again: nothing of this attempt runs any more.
    if (fate === 'requeued' && step.stop_why !== null) {
      tx.move.step(step.id, 'cancelled', { reason: { code: step.stop_why === 'halt' ? 'halted' : 'cancelled', message: 'Stopped on request' } }, BY_DAEMON);
    } else if (fate === 'requeued') tx.move.step(step.id, 'requeued', {}, BY_DAEMON);
    else tx.move.step(step.id, fate === 'indeterminate' ? 'outcome_unknown' : 'stuck', { reason }, BY_DAEMON);
  });
};

/**
 * Takes up what the last daemon left in mid-flight, before anything is served: survivors are ended by pid and start time, each step
 * goes where decision 0005 says, interrupted integrations are settled by looking at the ref, and leftovers are removed.
 * It may be interrupted itself and done again. The scheduler then enters `collecting` and `validating` again.
 */
export const recover = async ({ ledger, executors, workspaces, artifacts, delivery, log }: RecoveryOptions): Promise<Recovered> => {
  const count = { requeued: 0, reentered: 0, indeterminate: 0, stuck: 0, survivors: 0, integrations: 0 };
  const keep = new Set<string>();
  for (const step of ledger.read.stepsIn(IN_FLIGHT)) {
    const attempt = step.attempt_id === null ? undefined : ledger.read.attempt(step.attempt_id);
    const leftovers = await endLeftovers(attempt);
    if (leftovers !== 'none') count.survivors += 1;
    const fate = fateOf(step, executors.find(step.executor_requested)?.replayable ?? false, leftovers);
    await apply(ledger, step, attempt, fate);
    if (fate === 'reentered' && attempt) keep.add(attempt.id);
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
  await artifacts.sweep();
  if (Object.values(count).some((number) => number > 0)) log.info(count, 'recovered');
  return count;
};
