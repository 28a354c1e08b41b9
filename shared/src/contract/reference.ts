import * as z from 'zod';
import { methodOf, pathOf } from './http.ts';
import type { Operation } from './operations/operation.ts';

/** One field that an operation takes or answers, in words. */
export interface ReferenceField {
  /** Fields of a field stand behind a point: `task.title`. */
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly description: string;
}

/** One operation as a page shows it. */
export interface ReferenceEntry {
  readonly row: Operation;
  readonly method: string;
  /** Below the prefix of the API, parameters as `:name`. */
  readonly path: string;
  readonly takes: readonly ReferenceField[];
  readonly answers: readonly ReferenceField[];
}

export interface ReferenceChapter {
  readonly title: string;
  readonly about: string;
  readonly entries: readonly ReferenceEntry[];
}

interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
}

const MANY_WORDS = 8;

/** What fits between two numbers; the bounds of a safe integer say nothing. */
const boundsOf = ({ minimum, maximum, maxLength, maxItems }: Schema): string => {
  const parts = [
    ...(minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER ? [`from ${minimum}`] : []),
    ...(maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? [`to ${maximum}`] : []),
    ...(maxLength === undefined ? [] : [`up to ${maxLength} characters`]),
    ...(maxItems === undefined ? [] : [`up to ${maxItems}`]),
  ];
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
};

const unique = (words: readonly string[]): string[] => [...new Set(words)];

const typeOf = (schema: Schema): string => {
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return unique(choices.map(typeOf)).join(' or ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) {
    const words = schema.enum.map((word) => JSON.stringify(word));
    return words.length > MANY_WORDS ? `one of ${words.length} words` : words.join(' | ');
  }
  if (schema.type === 'array') return `list of ${schema.items ? typeOf(schema.items) : 'anything'}${boundsOf(schema)}`;
  return schema.type === undefined ? 'anything' : `${schema.type}${boundsOf(schema)}`;
};

/** Objects inside of a schema, whether they stand alone, in a list or as one of several. */
const objectsIn = (schema: Schema): Schema[] => {
  if (schema.properties) return [schema];
  if (schema.items) return objectsIn(schema.items);
  return (schema.anyOf ?? schema.oneOf ?? []).flatMap(objectsIn);
};

const fieldsOf = (schema: Schema, depth: number, under = ''): ReferenceField[] =>
  Object.entries(schema.properties ?? {}).flatMap(([key, field]) => {
    const name = `${under}${key}`;
    const remark = [field.description, field.default === undefined ? undefined : `Default: ${JSON.stringify(field.default)}`];
    const own = {
      name,
      type: typeOf(field),
      required: (schema.required ?? []).includes(key),
      description: remark.filter((text) => text !== undefined).join('. '),
    };
    const inner = depth > 1 ? objectsIn(field).flatMap((object) => fieldsOf(object, depth - 1, `${name}.`)) : [];
    return [own, ...inner.filter(({ name: other }, at) => inner.findIndex(({ name: first }) => first === other) === at)];
  });

const jsonSchema = (schema: z.ZodType, io: 'input' | 'output'): Schema =>
  z.toJSONSchema(schema, { io, unrepresentable: 'any', reused: 'inline' }) as Schema;

/** How deep the fields of what is sent are listed; of an answer only the outermost, because openapi.json holds the whole. */
const SENT_DEPTH = 3;

const entryOf = (row: Operation): ReferenceEntry => ({
  row,
  method: methodOf(row),
  path: pathOf(row),
  takes: fieldsOf(jsonSchema(row.input, 'input'), SENT_DEPTH),
  answers: row.stream === 'bytes' ? [] : fieldsOf(jsonSchema(row.output, 'output'), 1),
});

const CHAPTERS: readonly { readonly title: string; readonly about: string; readonly has: (row: Operation) => boolean }[] = [
  {
    title: 'For planners',
    about: 'Asked through a relay, or of the daemon itself. Each is an MCP tool of its name, too.',
    has: (row) => row.remote,
  },
  {
    title: "For the machine's owner",
    about: "Served by the daemon on its own machine, for the operator's token alone.",
    has: (row) => !row.remote && (row.surface === 'daemon' || row.surface === 'each'),
  },
  { title: 'For a connector', about: 'Served by the daemon, for the credential of one share.', has: (row) => row.surface === 'connector' },
  {
    title: "For the relay's operator",
    about: 'Served by the relay for its admin token; what needs no scope proves itself otherwise.',
    has: (row) => row.surface === 'relay_admin',
  },
];

/** The reference to these rows, in chapters by who asks. Chapters without a row are left out. */
export const referenceOf = (rows: readonly Operation[]): ReferenceChapter[] =>
  CHAPTERS.map(({ title, about, has }) => ({ title, about, entries: rows.filter(has).map(entryOf) })).filter(
    ({ entries }) => entries.length > 0,
  );

/** What there is to know about an operation besides its fields, one remark each. */
export const remarksOf = ({ row }: ReferenceEntry): string[] => [
  row.scope === 'none' ? 'needs no scope' : `scope ${row.scope}`,
  `effect ${row.effect}`,
  ...(row.effect === 'read' ? [] : [row.repeatable ? 'repeats safely' : 'takes an Idempotency-Key']),
  ...(row.stream === 'bytes' ? ['answers bytes'] : []),
  ...(row.stream === 'events' ? ['answers a stream of events to Accept: text/event-stream'] : []),
  ...(row.effect === 'decide' && row.remote ? ['asked through a relay only where the owner shared it by name'] : []),
];
