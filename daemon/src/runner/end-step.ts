import type { StepState } from '@fairlead/shared/contract/states';
import { BY_DAEMON, type Reason, type StepRecord } from '../core/records.ts';
import type { StepEvent } from '../core/step.ts';
import { endSurvivors, nameOf, type ProcessName } from '../process/process-table.ts';
import { keepTrying } from './keep-trying.ts';
import type { RunnerDeps } from './scope.ts';

const IN_FLIGHT: ReadonlySet<StepState> = new Set(['preparing', 'running', 'collecting', 'validating']);

const STOPPED: Reason = { code: 'cancelled', message: 'Stopped on request; nothing of the step runs any more' };

const endOf = (step: StepRecord, gone: boolean, reason: Reason): { event: StepEvent; reason: Reason } | undefined => {
  if (step.state === 'queued') return { event: 'preparation_failed', reason };
  if (!IN_FLIGHT.has(step.state)) return undefined;
  return step.stop_why !== null && gone ? { event: 'cancelled', reason: STOPPED } : { event: 'stuck', reason };
};

/**
 * Ends a step that cannot go on, or that nobody runs: what its attempt left running is ended, and the end is written as soon as the
 * ledger can be written, or never when `closing` comes first. A step that has ended otherwise is left as it is.
 */
export const endStep = async (deps: RunnerDeps, stepId: string, reason: Reason, closing: AbortSignal): Promise<void> => {
  const { ledger } = deps;
  const attemptId = ledger.read.step(stepId)?.attempt_id;
  const attempt = attemptId ? ledger.read.attempt(attemptId) : undefined;
  const gone = !attempt || (await endSurvivors(attempt.id, nameOf(attempt))) !== 'unconfirmed';
  await keepTrying(deps, closing, stepId, () =>
    ledger.record((tx) => {
      const step = tx.read.step(stepId);
      const end = step && endOf(step, gone, reason);
      if (!end) return;
      const now = step.attempt_id === null ? undefined : tx.read.attempt(step.attempt_id);
      if (now?.state === 'active') tx.move.attempt(now.id, 'lost', { reason }, BY_DAEMON);
      tx.move.step(stepId, end.event, { reason: end.reason }, BY_DAEMON);
    }),
  );
};

/** Notes what an attempt started. Where no environment can be read nothing else would find it after a crash, so what cannot be noted is ended. */
export const noteProcess = async ({ ledger }: Pick<RunnerDeps, 'ledger'>, attemptId: string, name: ProcessName): Promise<void> => {
  try {
    await ledger.record((tx) => tx.set.attempt(attemptId, { pid: name.pid, pid_started: name.started }));
  } catch (error) {
    await endSurvivors(attemptId, name);
    throw error;
  }
};
