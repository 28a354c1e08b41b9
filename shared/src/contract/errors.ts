import * as z from 'zod';
import { ERRORS, type ErrorCode } from './error-table.ts';
import type { ExitCode } from './states.ts';

/** RFC 9457 problem document. Tolerant, because parts are upgraded apart: a newer part may send a code we do not know. */
export const Problem = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  code: z.string(),
  detail: z.string().optional(),
  field: z.string().optional(),
  rule: z.string().optional(),
  hint: z.string().optional(),
  retryable: z.boolean().optional(),
  request_id: z.string().optional(),
});
export type Problem = z.infer<typeof Problem>;

export interface ErrorContext {
  /** What happened, in one sentence, without secrets and without paths of the machine when it may travel. */
  readonly detail?: string;
  /** Where in the input, such as `task.allowed_paths[2]`. */
  readonly field?: string;
  /** The rule that was broken. */
  readonly rule?: string;
  /** Replaces the table's hint where the way out is known more exactly. */
  readonly hint?: string;
  /** Further members of the problem document, such as `available` or `gate_id`. */
  readonly more?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** The one error class of Fairlead. Everything about a code but its circumstances comes from the table. */
export class FairleadError extends Error {
  override readonly name = 'FairleadError';
  readonly code: ErrorCode;
  readonly context: ErrorContext;

  constructor(code: ErrorCode, context: ErrorContext = {}) {
    super(context.detail ?? ERRORS[code].title, context.cause === undefined ? undefined : { cause: context.cause });
    this.code = code;
    this.context = context;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get exit(): ExitCode {
    return ERRORS[this.code].exit;
  }

  toProblem(requestId?: string): Problem {
    const { status, title, retryable, hint } = ERRORS[this.code];
    const { detail, field, rule, more } = this.context;
    return {
      type: `urn:fairlead:error:${this.code}`,
      title,
      status,
      code: this.code,
      ...(detail !== undefined && { detail }),
      ...(field !== undefined && { field }),
      ...(rule !== undefined && { rule }),
      hint: this.context.hint ?? hint,
      retryable,
      ...(requestId !== undefined && { request_id: requestId }),
      ...more,
    };
  }

  /** Rebuilds an error from a problem document that another part sent. An unknown code becomes `internal` and is kept in the detail. */
  static fromProblem(problem: Problem): FairleadError {
    const {
      type: _type,
      title,
      status: _status,
      code,
      detail,
      field,
      rule,
      hint,
      retryable: _retryable,
      request_id: _id,
      ...more
    } = problem;
    const known = Object.hasOwn(ERRORS, code);
    return new FairleadError(known ? (code as ErrorCode) : 'internal', {
      detail: known ? (detail ?? title) : `${code}: ${detail ?? title}`,
      ...(field !== undefined && { field }),
      ...(rule !== undefined && { rule }),
      ...(hint !== undefined && { hint }),
      ...(Object.keys(more).length > 0 && { more }),
    });
  }
}

/** The first issue of a zod error as `invalid_input`, with the field as a path and the rule in words. */
export const invalidInput = (error: z.ZodError, at = ''): FairleadError => {
  const issue = error.issues[0]!;
  const keys = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0]!] : issue.path;
  const field = keys.reduce<string>(
    (path, key) => (typeof key === 'number' ? `${path}[${key}]` : path ? `${path}.${String(key)}` : String(key)),
    at,
  );
  return new FairleadError('invalid_input', {
    field,
    rule: issue.message,
    detail: field ? `${field}: ${issue.message}` : issue.message,
  });
};
