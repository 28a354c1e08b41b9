import { ERRORS, type ErrorCode } from '@fairlead/shared/contract/error-table';
import { FairleadError, type ErrorContext } from '@fairlead/shared/contract/errors';

type More = Readonly<Record<string, unknown>>;
type Cure = (more: More) => Pick<ErrorContext, 'detail' | 'field' | 'hint'>;

/** What the daemon named beside the error, or a placeholder where it named nothing. */
const named = (more: More, key: string, otherwise: string): string => (typeof more[key] === 'string' ? more[key] : otherwise);

/** The ways out as commands, where the table has to speak to planners as well. */
const CURES: Partial<Record<ErrorCode, Cure>> = {
  invalid_input: () => ({ hint: 'Correct the named field; --help of the command describes it.' }),
  executor_unknown: () => ({ hint: 'Name one that fairlead executors prints.' }),
  executor_unavailable: () => ({ hint: 'fairlead executors says what is missing; fairlead doctor says how to cure it.' }),
  validation_unknown: () => ({ hint: 'Name one that fairlead list prints.' }),
  gate_outdated: (more) =>
    typeof more['gate_id'] === 'string'
      ? {
          detail: `The target moved, so ${more['gate_id']} has taken the place of this gate`,
          hint: `Look at it and decide on it: fairlead gate get ${more['gate_id']}`,
        }
      : { hint: 'The gates that wait: fairlead gate list' },
  digest_mismatch: (more) => ({ field: '--digest', hint: `Look at it again: fairlead gate get ${named(more, 'gate_id', 'GATE')}` }),
  repository_known: (more) => ({
    detail: `The repository is registered already, as ${named(more, 'instance_id', 'an instance')}`,
    hint: 'fairlead list shows it.',
  }),
  patch_not_applicable: () => ({ hint: 'Make the patch against the base and submit a new step.' }),
  unauthenticated: () => ({
    hint: "Correct --token or FAIRLEAD_DAEMON_TOKEN; without them the token in the daemon's home is used.",
  }),
};

/** An error of the daemon as the owner at the machine is to read it: the same code and facts, with the command that leads on. */
export const withCommands = (error: unknown): unknown => {
  if (!(error instanceof FairleadError)) return error;
  // A hint that was made for the occasion says more than one for the code.
  const isOwn = error.context.hint !== undefined && error.context.hint !== ERRORS[error.code].hint;
  const cure = isOwn ? undefined : CURES[error.code]?.(error.context.more ?? {});
  return cure ? new FairleadError(error.code, { ...error.context, ...cure, cause: error }) : error;
};
