import * as z from 'zod';
import { Time } from './values.ts';

/**
 * What an executor does while it works, in one vocabulary whatever agent it is. Everything here is told by the executor, so it is
 * untrusted and decides nothing: what an attempt did is observed by the daemon (`Change`, `Validation`).
 */
export const TOOL_KINDS = ['execute', 'read', 'search', 'edit', 'delete', 'move', 'fetch', 'mcp', 'agent', 'think', 'other'] as const;
export type ToolKind = (typeof TOOL_KINDS)[number];

/** Tokens and money as the agent reports them, summed over the attempt. Null where it does not say. */
export const Usage = z.object({
  model: z.string().nullable(),
  input_tokens: z.number().int().nonnegative().nullable(),
  output_tokens: z.number().int().nonnegative().nullable(),
  cached_tokens: z.number().int().nonnegative().nullable().describe('Of the input tokens, those read from a cache'),
  cost_usd: z.number().nonnegative().nullable(),
  turns: z.number().int().nonnegative().nullable().describe('Answers of the model'),
});
export type Usage = z.infer<typeof Usage>;

const CallId = z.string().max(200);

/** The shapes, one a kind. */
const SHAPES = {
  text: { text: z.string() },
  thought: { text: z.string() },
  tool_call: {
    call_id: CallId,
    tool: z.string().describe("The agent's own name of the tool"),
    tool_kind: z.enum(TOOL_KINDS),
    title: z.string(),
    input: z.unknown(),
  },
  tool_result: {
    call_id: CallId,
    status: z.enum(['completed', 'failed', 'denied']),
    text: z.string(),
    exit_code: z.number().int().nullable(),
  },
  file_change: {
    path: z.string(),
    change: z.enum(['added', 'modified', 'deleted', 'moved']),
    call_id: CallId.nullable(),
  },
  plan: { entries: z.array(z.object({ text: z.string(), status: z.enum(['pending', 'in_progress', 'completed']) })) },
  usage: { usage: Usage },
  notice: { level: z.enum(['info', 'warning', 'error']), code: z.string(), text: z.string() },
  output: { from: z.enum(['stdout', 'stderr']), text: z.string() },
  raw: { value: z.unknown() },
} as const;

const one = <K extends keyof typeof SHAPES>(kind: K) => z.object({ kind: z.literal(kind), ...SHAPES[kind] });

const position = {
  seq: z.number().int().positive().describe('1 for the first of the attempt'),
  at: Time,
};

/** One thing that an executor said or did. */
export const ActivityItem = z.discriminatedUnion('kind', [
  one('text'),
  one('thought'),
  one('tool_call'),
  one('tool_result'),
  one('file_change'),
  one('plan'),
  one('usage'),
  one('notice'),
  one('output'),
  one('raw'),
]);
export type ActivityItem = z.infer<typeof ActivityItem>;
export const ACTIVITY_KINDS = Object.keys(SHAPES) as readonly (keyof typeof SHAPES)[];

/** The same with its place in the attempt. Read tolerantly: a newer daemon may know more kinds. */
export const Activity = z
  .looseObject({ ...position, kind: z.string().describe(`One of ${ACTIVITY_KINDS.join(', ')}`) })
  .describe('Untrusted: what the executor says it does. Its other fields follow from its kind');
export type Activity = z.infer<typeof Activity>;
/** As the daemon makes it. */
export type PlacedActivity = ActivityItem & { readonly seq: number; readonly at: string };

/** Opaque: an attempt of a step and how far its activity was read. */
export const LogCursor = z
  .string()
  .regex(/^l[0-9a-z]{1,6}\.[0-9a-z]{1,11}$/, { error: 'must be a log cursor that Fairlead gave' })
  .describe('next_cursor of the answer before; without it from the beginning of the latest attempt');
