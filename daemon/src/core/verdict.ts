import type { GateReason } from '@fairlead/shared/contract/project-policy';
import type { FenceFinding } from '@fairlead/shared/contract/resources';
import type { Outcome } from '@fairlead/shared/contract/states';
import type { Reason, ValidationRecord } from './records.ts';
import type { StepEvent } from './step.ts';

/** All that was observed about one attempt. */
export interface VerdictFacts {
  /** What the executor answered. */
  readonly outcome: Outcome;
  readonly outcome_reason?: Reason | null;
  /** A stop that was asked for, by a person (`cancel`, `halt`) or by the time limit. A cancel wins over a time-out. */
  readonly stop: 'cancel' | 'halt' | 'timeout' | null;
  /** Whether everything that was started is gone. */
  readonly stopped: 'by_itself' | 'confirmed' | 'unconfirmed';
  /** When the limit of a `quota` outcome resets, in epoch ms; null when it is not known. */
  readonly resets_at?: number | null;
  readonly changed: boolean;
  /** Work without a change is a failure. */
  readonly expects_change: boolean;
  readonly findings: readonly FenceFinding[];
  readonly validations: readonly Pick<ValidationRecord, 'name' | 'phase' | 'required' | 'passed' | 'timed_out'>[];
  /** From `policy/gates`. */
  readonly gates: readonly GateReason[];
}

export interface Verdict {
  readonly event: StepEvent;
  readonly reason: Reason | null;
  readonly warnings: readonly string[];
  /** Why a gate is to be opened; empty unless the event is `held`. */
  readonly gates: readonly GateReason[];
}

const ended = (event: StepEvent, code: string, message: string, warnings: readonly string[] = []): Verdict => ({
  event,
  reason: { code, message },
  warnings,
  gates: [],
});

const listed = (items: readonly string[]): string =>
  items.length <= 3 ? items.join(', ') : `${items.slice(0, 3).join(', ')} and ${items.length - 3} more`;

const FAILED = {
  quota: 'The agent has reached its limit.',
  refused: 'The executor refused the task.',
  crashed: 'The executor failed.',
  cancelled: 'The executor gave up without being asked to.',
} as const satisfies Partial<Record<Outcome, string>>;

/** What the executor's outcome alone decides; undefined when it finished. */
const ofOutcome = ({ outcome, outcome_reason, resets_at }: VerdictFacts): Verdict | undefined => {
  const { code, message } = outcome_reason ?? { code: outcome, message: undefined };
  if (outcome === 'finished') return undefined;
  if (outcome === 'timed_out')
    return ended('timed_out', outcome_reason?.code ?? 'timeout', message ?? 'The time limit passed, and everything stopped.');
  if (outcome === 'quota' && typeof resets_at === 'number') return ended('quota_reached', code, message ?? FAILED.quota);
  // Nobody asked for a cancellation here, so it is none: `cancelled` means on request.
  return ended('executor_failed', outcome === 'cancelled' ? 'cancelled_unasked' : code, message ?? FAILED[outcome]);
};

/** Warnings that do not fail a step. */
const warningsOf = ({ changed, validations }: VerdictFacts): string[] => {
  const checks = validations.filter(({ phase }) => phase === 'change');
  const warnings: string[] = [];
  if (!changed) warnings.push('no_change');
  if (changed && checks.length === 0) warnings.push('no_validations');
  for (const { name } of checks.filter(({ required, passed }) => !required && !passed)) warnings.push(`validation_failed:${name}`);
  for (const { name } of validations.filter(({ phase, passed }) => phase === 'judges_restored' && !passed))
    warnings.push(`judges_restored_failed:${name}`);
  return warnings;
};

/**
 * The one place that turns observations into a step's event. Precedence (DESIGN section 4, and after the fence a change that was asked for): what was not confirmed stopped,
 * then cancel, time-out, executor outcome, fence, validations, gate.
 */
export const verdict = (facts: VerdictFacts): Verdict => {
  if (facts.stopped === 'unconfirmed') return ended('stuck', 'stop_unconfirmed', 'Something that the attempt started may still run.');
  if (facts.stop === 'cancel') return ended('cancelled', 'cancelled', 'Cancelled on request; everything it started is gone.');
  if (facts.stop === 'halt') return ended('cancelled', 'halted', 'The owner halted the machine; everything it started is gone.');
  if (facts.stop === 'timeout') return ended('timed_out', 'timeout', 'The time limit passed, and everything stopped.');
  const outcome = ofOutcome(facts);
  if (outcome) return outcome;
  const broken = facts.findings.filter(({ severity }) => severity === 'failed');
  if (broken.length > 0) {
    const first = broken[0]!;
    const more = broken.length > 1 ? ` (and ${broken.length - 1} more)` : '';
    return ended('fence_broken', first.rule, `${first.path === null ? '' : `${first.path}: `}${first.message}${more}.`);
  }
  if (!facts.changed && facts.expects_change)
    return ended('executor_failed', 'no_change', 'The executor says that it finished, but nothing was changed.');
  const warnings = warningsOf(facts);
  const failed = facts.validations.filter(({ phase, required, passed }) => phase === 'change' && required && !passed);
  if (failed.length > 0) {
    const timedOut = failed.every(({ timed_out }) => timed_out);
    const names = listed(failed.map(({ name }) => name));
    return ended(
      'validation_failed',
      timedOut ? 'validation_timed_out' : 'validation_failed',
      `Required checks ${timedOut ? 'took too long' : 'failed'}: ${names}.`,
      warnings,
    );
  }
  if (facts.gates.length > 0) {
    return {
      event: 'held',
      reason: { code: 'gate', message: `A person decides, because: ${facts.gates.join(', ')}.` },
      warnings,
      gates: facts.gates,
    };
  }
  return { event: warnings.length > 0 ? 'completed_with_warnings' : 'completed', reason: null, warnings, gates: [] };
};

/** The event of a held step whose gate is approved. */
export const approvedEvent = (warnings: readonly string[]): StepEvent => (warnings.length > 0 ? 'approved_with_warnings' : 'approved');
