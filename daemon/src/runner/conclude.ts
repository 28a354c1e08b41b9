import type { StepEvent } from '../core/step.ts';
import { hasNextExecutor } from '../core/turn.ts';
import type { StepSet } from '../ledger/ledger.ts';
import { OUTCOMES, type Outcome } from '@fairlead/shared/contract/states';
import { BY_DAEMON, type AttemptRecord, type ChangeRecord, type ValidationRecord } from '../core/records.ts';
import { verdict, type VerdictFacts } from '../core/verdict.ts';
import { gateReasons } from '../policy/gates.ts';
import { addGate } from './add-gate.ts';
import { changeOf } from './check.ts';
import type { PreparedScope } from './scope.ts';
import type { Round } from './validate.ts';

const outcomeOf = ({ state }: AttemptRecord): Outcome => {
  const outcome = OUTCOMES.find((name) => name === state);
  if (!outcome) throw new Error(`An attempt that is ${state} has no outcome`);
  return outcome;
};

/** A stop that was asked for counts as long as the step has not ended, whichever stage it meets. */
const stopOf = ({ step, signal }: PreparedScope): VerdictFacts['stop'] =>
  step.stop_why ?? (signal.aborted && signal.reason === 'timeout' ? 'timeout' : null);

/** An agent that was asked for a change and made none has not done its work, whatever it says. */
const expectsChange = ({ deps, step, executor }: PreparedScope): boolean => {
  const expects = deps.ledger.read.task(step.id)?.spec.expects;
  return expects === 'change' || (expects === undefined && executor.prompted);
};

const factsOf = (
  scope: PreparedScope,
  change: ChangeRecord | undefined,
  validations: readonly ValidationRecord[],
  round: Round,
): VerdictFacts => {
  const { step, attempt, effective } = scope;
  const findings = change?.findings ?? [];
  const changed = change !== undefined;
  const unconfirmed = round.unconfirmed || attempt.reason?.code === 'stop_unconfirmed';
  const stop = stopOf(scope);
  return {
    outcome: outcomeOf(attempt),
    outcome_reason: attempt.reason,
    stop,
    stopped: unconfirmed ? 'unconfirmed' : stop === null ? 'by_itself' : 'confirmed',
    resets_at: step.resume_at,
    changed,
    expects_change: expectsChange(scope),
    findings,
    validations,
    gates: gateReasons({ changed, findings, remote: step.remote, effective }),
  };
};

/**
 * How a step goes on that reached a limit: with the next executor of its task's list at once, where the task allows one; else it waits,
 * and its agent goes on in its own session.
 */
const quotaTurn = ({ deps, step, attempt, executor }: PreparedScope): { readonly event: StepEvent; readonly set: StepSet } => {
  const list = [step.executor_requested, ...(deps.ledger.read.task(step.id)?.spec.fallback ?? [])];
  if (hasNextExecutor(list, deps.ledger.read.attempts(step.id))) return { event: 'requeued', set: { resume_at: null } };
  const same = list.length === 1 && attempt.session !== null && executor.profile?.resumes === true;
  return { event: 'quota_reached', set: { resumes: same ? attempt.id : null } };
};

/** Lets core say what follows from all that was observed, and records it: an end, or a gate on exactly this content. */
export const conclude = async (scope: PreparedScope, round: Round): Promise<void> => {
  const { deps, step, attempt, effective } = scope;
  const change = changeOf(scope);
  const validations = deps.ledger.read.validations({ step_id: step.id, attempt_id: attempt.id });
  const found = verdict(factsOf(scope, change, validations, round));
  const binding = found.event === 'held' && change ? await deps.bindGate(change, validations, effective.digest) : undefined;
  await deps.ledger.record((tx) => {
    // A stop that was asked for meanwhile still counts: nothing waits or goes on that was to stop.
    const now = { ...scope, step: tx.read.step(step.id) ?? step };
    const { event, reason, warnings, gates } =
      now.step.stop_why === step.stop_why ? found : verdict(factsOf(now, change, validations, round));
    const next = event === 'quota_reached' ? quotaTurn(now) : undefined;
    if (event === 'held' && change && binding) addGate(tx, change, binding, gates);
    tx.move.step(step.id, next?.event ?? event, { reason, warnings, ...next?.set }, BY_DAEMON);
  });
};
