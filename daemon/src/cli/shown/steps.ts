import type { Attempt, Gate, Step, StepResult, Validation } from '@fairlead/shared/contract/resources';
import { STEP_STATES } from '@fairlead/shared/contract/states';
import { printable } from '@fairlead/shared/kit/printable';
import { bytes, columns, duration, fields, short } from '../layout.ts';
import { changeText } from './changes.ts';

/** A state with what it means. */
export const stateText = (step: Step): string =>
  `${step.state}: ${STEP_STATES[step.state]?.meaning ?? 'a state that this version does not know'}`;

const confinementText = (step: Step): string | null => {
  if (step.confinement === 'unconfined') return 'UNCONFINED: nothing kept this work apart from the machine';
  return step.confinement === 'not_needed' ? 'not needed: no program ran over the files' : step.confinement;
};

/** A step for a person. */
export const stepText = (step: Step): string =>
  [
    `Step ${step.id}${step.simulated ? ' (simulated)' : ''}`,
    fields([
      ['title', step.title],
      ['state', stateText(step)],
      ['because', step.reason?.message],
      ['position', step.position === null ? null : `${step.position} in the queue`],
      ['run', `${step.run_id}, step ${step.number}`],
      ['executor', step.executor.requested],
      ['confinement', confinementText(step)],
      ['base', step.base_commit ? `${step.base} at ${short(step.base_commit)}` : step.base],
      ['attempts', step.attempts],
      ['change', step.change_id],
      ['gate', step.gate_id],
      ['warnings', step.warnings.join(', ')],
      ['stopping since', step.stop_requested_at],
      ['asked by', `${step.submitted_by.name} (${step.authority})`],
      ['updated', step.updated_at],
    ]),
  ].join('\n');

export const stepTable = (steps: readonly Step[]): string =>
  columns(
    ['#', 'STEP', 'STATE', 'EXECUTOR', 'TITLE'],
    steps.map((step) => [step.number, step.id, step.state, step.executor.requested, step.title]),
    'No steps.',
  );

export const attemptTable = (attempts: readonly Attempt[]): string =>
  columns(
    ['#', 'ATTEMPT', 'STATE', 'EXECUTOR', 'CONFINEMENT', 'EXIT', 'STARTED', 'BECAUSE'],
    attempts.map((one) => [
      one.number,
      one.id,
      one.state,
      one.executor,
      one.confinement,
      one.exit_code ?? one.signal,
      one.started_at,
      one.reason?.message,
    ]),
    'No attempts yet.',
  );

const PHASES = { change: 'the change', judges_restored: "with the base's own checks", integration: 'the tree that would land' } as const;

export const validationTable = (validations: readonly Validation[]): string =>
  columns(
    ['VALIDATION', 'RESULT', 'OF', 'EXIT', 'TOOK', 'CONFINEMENT', 'COMMAND'],
    validations.map((one) => [
      one.name,
      one.timed_out ? 'timed out' : one.passed ? 'passed' : one.required ? 'FAILED' : 'failed (optional)',
      PHASES[one.phase],
      one.exit_code ?? one.signal,
      duration(one.duration_ms),
      one.confinement,
      one.argv.join(' '),
    ]),
    'No validations were run.',
  );

const failedTails = (validations: readonly Validation[]): string[] =>
  validations
    .filter((one) => !one.passed && one.output_tail.trim() !== '')
    .map(
      (one) =>
        `Output of ${one.name} (untrusted, the end of it):\n${printable(one.output_tail.trimEnd(), { multiline: true }).replace(/^/gm, '  | ')}`,
    );

/** What to do about a gate, with the commands spelt out. */
export const gateAdvice = (gate: Gate): string =>
  gate.state === 'pending'
    ? `A person decides (${gate.reasons.join(', ')}):\n  fairlead change diff ${gate.change_id}\n  fairlead gate approve ${gate.id} --digest ${gate.digest}\n  fairlead gate reject ${gate.id}`
    : `Gate ${gate.id}: ${gate.state}${gate.decided_by ? ` by ${printable(gate.decided_by.name)} (${gate.authority})` : ''}`;

/** The whole result of a step for a person. */
export const resultText = (result: StepResult): string =>
  [
    stepText(result.step),
    ...(result.change ? [changeText(result.change)] : []),
    ...(result.validations.length > 0 ? [validationTable(result.validations), ...failedTails(result.validations)] : []),
    ...(result.artifacts.length > 0
      ? [`Evidence: ${result.artifacts.map((one) => `${printable(one.name)} (${bytes(one.size)})`).join(', ')}`]
      : []),
    ...(result.gate ? [gateAdvice(result.gate)] : []),
    printable(result.sentence),
  ].join('\n\n');
