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
    findings,
    validations,
    gates: gateReasons({ changed, findings, remote: step.remote, effective }),
  };
};

/** Lets core say what follows from all that was observed, and records it: an end, or a gate on exactly this content. */
export const conclude = async (scope: PreparedScope, round: Round): Promise<void> => {
  const { deps, step, attempt, effective } = scope;
  const change = changeOf(scope);
  const validations = deps.ledger.read.validations({ step_id: step.id, attempt_id: attempt.id });
  const { event, reason, warnings, gates } = verdict(factsOf(scope, change, validations, round));
  const binding = event === 'held' && change ? await deps.bindGate(change, validations, effective.digest) : undefined;
  await deps.ledger.record((tx) => {
    if (change && binding) addGate(tx, change, binding, gates);
    tx.move.step(step.id, event, { reason, warnings }, BY_DAEMON);
  });
};
