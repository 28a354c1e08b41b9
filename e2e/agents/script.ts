import * as z from 'zod';

/** Token counts that a turn reports to the client. */
const usage = z.strictObject({
  input: z.int().nonnegative().default(10),
  output: z.int().nonnegative().default(5),
  /** Of the input, what came from the provider's cache. */
  cached: z.int().nonnegative().default(0),
});
export type Usage = z.infer<typeof usage>;

const toolCall = z.strictObject({
  /** `write`, `edit`, `shell` or `read`, fitted to what the client offers; anything else is the exact name of a tool. */
  tool: z.string().min(1),
  /**
   * For the four: `{path, content}`, `{path, old, new}`, `{command}`, `{path}`; a relative path is taken from the script's `cwd`.
   * For an exact name: the arguments as they are.
   */
  args: z.record(z.string(), z.unknown()).default({}),
  /** Calls the tool even when the client does not offer it. */
  force: z.boolean().default(false),
});
export type ToolCall = z.infer<typeof toolCall>;

const STOPS = ['end', 'max_tokens', 'refusal'] as const;

/** The model answers: thoughts, then text, then tool calls, whatever of it is there. */
const answer = z.strictObject({
  think: z.string().optional(),
  say: z.string().optional(),
  /** Says the text this many times over, for huge answers. */
  repeat: z.int().positive().default(1),
  /** One tool call, written short. */
  tool: toolCall.shape.tool.optional(),
  args: toolCall.shape.args.optional(),
  force: toolCall.shape.force.optional(),
  /** Several tool calls in one answer. */
  calls: z.array(toolCall).optional(),
  /** Milliseconds before each piece of the answer. */
  slow: z.number().nonnegative().default(0),
  usage: usage.optional(),
  /** How the answer ends where it calls no tool. */
  stop: z.enum(STOPS).default('end'),
});
export type Answer = z.infer<typeof answer>;

/** The provider refuses with an HTTP status. */
const failure = z.strictObject({
  fail: z.union([z.literal(400), z.literal(401), z.literal(403), z.literal(429), z.literal(500), z.literal(503), z.literal(529)]),
  /** Seconds, as the `retry-after` header. */
  retry_after: z.number().nonnegative().optional(),
  /** Seconds until a usage limit is lifted: the body and headers then say "limit reached until", as each provider does. */
  limit_resets_in: z.number().positive().optional(),
  /** How many requests in a row get it. */
  times: z.int().positive().default(1),
  message: z.string().default('scripted failure'),
});
export type Failure = z.infer<typeof failure>;

/**
 * The answer is broken: `html` is a page with status 200; `not_json` a stream whose data is no JSON; `cut` a stream whose socket
 * dies in the middle; `unfinished` a stream that ends in good order but before its last event; `reset` a socket closed unanswered.
 */
const garbage = z.strictObject({
  garbage: z.enum(['html', 'not_json', 'cut', 'unfinished', 'reset']),
  times: z.int().positive().default(1),
});
export type Garbage = z.infer<typeof garbage>;

/** The provider accepts and then is silent: before the first byte of its answer, or after some text. */
const hang = z.strictObject({ hang: z.enum(['at_once', 'midway']), times: z.int().positive().default(1) });
export type Hang = z.infer<typeof hang>;

export const turn = z.union([failure, garbage, hang, answer]);
export type Turn = z.infer<typeof turn>;
/** A turn as it is written, with what has a default left out. */
export type TurnInput = z.input<typeof turn>;

export const script = z.strictObject({
  turns: z.array(turn),
  /** Where relative paths of the four logical tools begin. */
  cwd: z.string().startsWith('/').default('/workspace'),
});
export type Script = z.infer<typeof script>;
export type ScriptInput = z.input<typeof script>;

const DEFAULT_USAGE: Usage = { input: 10, output: 5, cached: 0 };

/** An answer put in full: what is thought and said, the calls in order, the counts. */
export interface FullAnswer {
  readonly think: string;
  readonly say: string;
  readonly calls: readonly ToolCall[];
  readonly slow: number;
  readonly usage: Usage;
  readonly stop: (typeof STOPS)[number];
}

/** Puts an answer in full. */
export const inFull = (given: Answer): FullAnswer => ({
  think: given.think ?? '',
  say: (given.say ?? '').repeat(given.repeat),
  calls: [
    ...(given.tool === undefined ? [] : [{ tool: given.tool, args: given.args ?? {}, force: given.force ?? false }]),
    ...(given.calls ?? []),
  ],
  slow: given.slow,
  usage: given.usage ?? DEFAULT_USAGE,
  stop: given.stop,
});

/** An answer that only says something. */
export const saying = (text: string): FullAnswer => ({ think: '', say: text, calls: [], slow: 0, usage: DEFAULT_USAGE, stop: 'end' });

/** A list of turns with everything in it once per request: what is to happen `times` times stands there that often. */
export const unrolled = ({ turns }: Script): Turn[] =>
  turns.flatMap((one): Turn[] => ('times' in one ? Array.from({ length: one.times }, () => one) : [one]));
