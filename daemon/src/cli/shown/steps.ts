import type { Attempt, Step, StepResult, Validation } from '@fairlead/shared/contract/resources';
import { STEP_STATES } from '@fairlead/shared/contract/states';
import { printable } from '@fairlead/shared/kit/printable';
import { bytes, columns, duration, fields, short } from '../layout.ts';
import { changeText } from './changes.ts';
import { nextFor } from './next.ts';

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

const validationTable = (validations: readonly Validation[]): string =>
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

/** What the sandbox says of a program that it cannot start, and a shell of one that it was to run. */
const NOT_STARTED = /^bwrap: execvp ([^:]+): /m;
const NOT_FOUND = /(?:^|: )([^\s:]+): (?:command )?not found/m;

/** The way out where a check could not begin, or undefined where it did. 126 and 127 are what shells answer for a missing program. */
const missingProgram = ({ name, exit_code: exit, argv, output_tail: tail, passed }: Validation): string | undefined => {
  const started = NOT_STARTED.exec(tail);
  if (passed || (!started && exit !== 126 && exit !== 127)) return undefined;
  const program = started?.[1] ?? NOT_FOUND.exec(tail)?.[1] ?? argv[0]!;
  return `${name} could not run ${printable(program)}: it is not where checks can see it. List its folder in toolchain_folders of the daemon's config; fairlead doctor proposes folders.`;
};

const failedTails = (validations: readonly Validation[]): string[] =>
  validations
    .filter((one) => !one.passed && one.output_tail.trim() !== '')
    .map(
      (one) =>
        `Output of ${one.name} (untrusted, the end of it):\n${printable(one.output_tail.trimEnd(), { multiline: true }).replace(/^/gm, '  | ')}`,
    );

/** The checks for a person, with what the failed ones printed and, where a program is missing, the cure. */
export const validationText = (validations: readonly Validation[]): string =>
  [validationTable(validations), ...failedTails(validations), ...validations.map(missingProgram).filter((cure) => cure !== undefined)].join(
    '\n\n',
  );

/** Whether a step's change is only evidence: it ended without one that could land. */
const isKeptOnly = ({ state, ended }: Step): boolean => ended && !state.startsWith('completed');

/** The whole result of a step for a person. */
export const resultText = (result: StepResult): string =>
  [
    stepText(result.step),
    ...(result.change ? [changeText(result.change, isKeptOnly(result.step))] : []),
    ...(result.validations.length > 0 ? [validationText(result.validations)] : []),
    ...(result.artifacts.length > 0
      ? [`Evidence: ${result.artifacts.map((one) => `${printable(one.name)} (${bytes(one.size)})`).join(', ')}`]
      : []),
    ...nextFor(result),
  ].join('\n\n');
