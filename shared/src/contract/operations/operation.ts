import type * as z from 'zod';

/** What a credential must be allowed before an operation is served. */
export const SCOPES = [
  'instances:read',
  'runs:read',
  'runs:write',
  'steps:read',
  'steps:write',
  'artifacts:read',
  'events:read',
  'gates:read',
  'gates:decide',
  'changes:decide',
  'files:read',
  'admin:read',
  'admin:write',
  'none',
] as const;
export type Scope = (typeof SCOPES)[number];

export type Method = 'GET' | 'POST' | 'DELETE';

/**
 * One named thing that may be asked for. From these rows come routes, allowlists, MCP tools, the OpenAPI documents, the typed
 * client and the reference page; adding an operation is one row and one handler.
 */
export interface Operation {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Method and path below the API's prefix; `:field` names a field of the input. */
  readonly route: `${Method} /${string}`;
  readonly input: z.ZodObject;
  /** For `stream: 'bytes'` this is the form that carries a page of the bytes as JSON (MCP). */
  readonly output: z.ZodType;
  readonly scope: Scope;
  /** `decide` needs local authority, or a share that names the operation. */
  readonly effect: 'read' | 'write' | 'decide';
  /** Whether it may be asked through a relay at all. Each remote operation is also an MCP tool of its name. */
  readonly remote: boolean;
  /** `bytes`: the HTTP answer is the content. `events`: with `Accept: text/event-stream` the answer is a stream of the same rows. */
  readonly stream: 'none' | 'bytes' | 'events';
  /** How long a caller waits: `plain` and `slow` as in the limits table, `wait` for operations that hold until something happens. */
  readonly deadline: 'plain' | 'slow' | 'wait' | 'stream';
  /** Whose API it belongs to. `each`: the daemon and the relay both serve their own answer. */
  readonly surface: 'daemon' | 'relay_admin' | 'connector' | 'each';
  /** Whether asking twice does no more than asking once, without an idempotency key. */
  readonly repeatable: boolean;
}

type Defaulted = 'effect' | 'remote' | 'stream' | 'deadline' | 'surface' | 'repeatable';
type Row = Omit<Operation, Defaulted> & Partial<Pick<Operation, Defaulted>>;

type Complete<R extends Row> = R & Omit<Operation, keyof R>;

/** Completes a row: a read that is served by the daemon, plain, and local only, unless it says otherwise. */
export const operation = <const R extends Row>(row: R): Complete<R> => {
  const effect = row.effect ?? 'read';
  return {
    effect,
    remote: false,
    stream: 'none',
    deadline: 'plain',
    surface: 'daemon',
    repeatable: effect === 'read',
    ...row,
  };
};
