import * as z from 'zod';
import { ERRORS, type ErrorCode } from './error-table.ts';
import { keysAt, nearestKey } from './nearest-key.ts';
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

/** Names the known key that an unknown one was meant to be; without one, what is known there. */
const aboutUnknown = (issue: z.core.$ZodIssueUnrecognizedKeys, schema: z.core.$ZodType): { near?: string; hint?: string } => {
  const known = keysAt(schema, issue.path);
  const near = nearestKey(issue.keys[0]!, known);
  if (near !== undefined) return { near, hint: `Write ${near}.` };
  return known.length === 0 ? {} : { hint: `Known here: ${known.join(', ')}.` };
};

/**
 * The issue of a zod error that says most, as `invalid_input`, with the field as a path and the rule in words.
 * @param at where in the input the schema begins
 * @param schema what was read with: an unknown key then leads to the nearest known one
 */
export const invalidInput = (error: z.ZodError, at = '', schema?: z.core.$ZodType): FairleadError => {
  // A key that is misspelt is often missing too; the misspelling says more.
  const unknown = error.issues.find((one) => one.code === 'unrecognized_keys');
  const issue = unknown ?? error.issues[0]!;
  const field = [...issue.path, ...(unknown ? [unknown.keys[0]!] : [])].reduce<string>(
    (path, key) => (typeof key === 'number' ? `${path}[${key}]` : path ? `${path}.${String(key)}` : String(key)),
    at,
  );
  const { near, hint } = unknown && schema ? aboutUnknown(unknown, schema) : {};
  const said = near === undefined ? issue.message : `${issue.message}; did you mean ${near}?`;
  return new FairleadError('invalid_input', {
    field,
    rule: issue.message,
    detail: field ? `${field}: ${said}` : said,
    ...(hint !== undefined && { hint }),
  });
};
