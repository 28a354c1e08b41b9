/** What a client sent, read out of whichever of the four wire formats it speaks. */
export interface Conversation {
  readonly model: string;
  /** The system prompt or instructions. */
  readonly system: string;
  /** Texts of the user, in order; what clients add of their own, such as reminders, is among them. */
  readonly prompts: readonly string[];
  readonly tools: readonly OfferedTool[];
  /** Every tool result in the history, in order. */
  readonly toolResults: readonly ToolResult[];
  /** Whether the answer is wanted as a stream of events. */
  readonly stream: boolean;
  /** Whether the answer must be JSON: a question that the client asks for itself, not a turn of the task. */
  readonly wantsJson: boolean;
}

export interface OfferedTool {
  readonly name: string;
  /** Group that the call must name again (OpenAI Responses). */
  readonly namespace?: string;
  /** Takes free text in place of JSON arguments (OpenAI Responses `custom`). */
  readonly freeform?: boolean;
  /** Names of the arguments, where the client gave a schema. */
  readonly parameters: readonly string[];
}

export interface ToolResult {
  readonly id: string;
  readonly text: string;
  readonly isError: boolean;
}

export type Json = Readonly<Record<string, unknown>>;

/** The value as an object; anything else as an empty one. */
export const objectOf = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};

/** The value as a list of objects; anything else as an empty one. */
export const objectsOf = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.map(objectOf) : []);

/** The value when it is text, else nothing. */
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The text of a content field: text itself, or a list of parts with `text`. */
export const contentText = (content: unknown): string =>
  typeof content === 'string'
    ? content
    : objectsOf(content)
        .map((part) => textOf(part['text']))
        .join('');

/** Names of the arguments in a JSON schema. */
export const parameterNames = (schema: unknown): readonly string[] => Object.keys(objectOf(objectOf(schema)['properties']));
