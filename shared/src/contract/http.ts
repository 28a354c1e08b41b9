import type * as z from 'zod';
import { FairleadError, invalidInput } from './errors.ts';
import type { Method, Operation } from './operations/operation.ts';
import { FOREIGN_TASK_FIELDS } from './task.ts';

/** How an operation's input travels over HTTP: path parameters, then the query of a GET or DELETE, or the JSON body of a POST. */
export interface HttpCall {
  readonly method: Method;
  /** Below the API's prefix, with the query. */
  readonly path: string;
  readonly body: string | undefined;
}

export const methodOf = (row: Operation): Method => row.route.slice(0, row.route.indexOf(' ')) as Method;
export const pathOf = (row: Operation): string => row.route.slice(row.route.indexOf(' ') + 1);

const PARAMETER = /:([a-z_]+)/g;
export const pathParameters = (row: Operation): string[] => [...pathOf(row).matchAll(PARAMETER)].map((match) => match[1]!);

/** A route taken apart: the method, and its path as what stands between the parameters and their names in turn. */
interface Template {
  readonly method: Method;
  readonly between: readonly string[];
  readonly names: readonly string[];
}

const templates = new WeakMap<Operation, Template>();
const templateOf = (row: Operation): Template => {
  let found = templates.get(row);
  if (!found) {
    const parts = pathOf(row).split(PARAMETER);
    found = { method: methodOf(row), between: parts.filter((_, at) => at % 2 === 0), names: parts.filter((_, at) => at % 2 === 1) };
    templates.set(row, found);
  }
  return found;
};

/** Turns an operation's input into an HTTP call. */
export const toHttp = (row: Operation, input: Readonly<Record<string, unknown>>): HttpCall => {
  const { method, between, names } = templateOf(row);
  let path = between[0]!;
  for (const [at, name] of names.entries()) path += encodeURIComponent(String(input[name])) + between[at + 1]!;
  const rest = Object.entries(input).filter(([name, value]) => value !== undefined && !names.includes(name));
  if (method === 'POST') return { method, path, body: JSON.stringify(Object.fromEntries(rest)) };
  if (rest.length > 0) path += `?${new URLSearchParams(rest.map(([name, value]) => [name, String(value)]))}`;
  return { method, path, body: undefined };
};

type Leaf = 'string' | 'number' | 'boolean';

/** What a query parameter is to be read as. Wrappers such as default and optional are looked through. */
const leafOf = (schema: z.core.$ZodType): Leaf => {
  const { def } = schema._zod;
  if ('innerType' in def) return leafOf(def.innerType as z.core.$ZodType);
  return def.type === 'number' || def.type === 'boolean' ? def.type : 'string';
};

const leaves = new WeakMap<Operation, ReadonlyMap<string, Leaf>>();
const leavesOf = (row: Operation): ReadonlyMap<string, Leaf> => {
  let found = leaves.get(row);
  if (!found) {
    found = new Map(Object.entries(row.input.shape).map(([name, schema]) => [name, leafOf(schema)]));
    leaves.set(row, found);
  }
  return found;
};

const readLeaf = (text: string, leaf: Leaf): unknown => {
  if (leaf === 'number' && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (leaf === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
};

/**
 * Puts an operation's raw input together again from the parts of an HTTP request. It is not validated yet.
 * @throws FairleadError `invalid_input` when a field comes twice or the body is no object
 */
export const fromHttp = (
  row: Operation,
  parts: { params: Readonly<Record<string, string>>; query: URLSearchParams; body: unknown },
): Record<string, unknown> => {
  const input: Record<string, unknown> = {};
  const put = (name: string, value: unknown) => {
    if (Object.hasOwn(input, name))
      throw new FairleadError('invalid_input', { field: name, rule: 'may be given once', detail: `${name} is given more than once` });
    input[name] = value;
  };
  for (const [name, value] of Object.entries(parts.params)) put(name, value);
  for (const [name, value] of parts.query) put(name, readLeaf(value, leavesOf(row).get(name) ?? 'string'));
  if (parts.body !== undefined) {
    if (typeof parts.body !== 'object' || parts.body === null || Array.isArray(parts.body)) {
      throw new FairleadError('invalid_input', { field: 'body', rule: 'must be a JSON object', detail: 'The body must be a JSON object' });
    }
    for (const [name, value] of Object.entries(parts.body)) put(name, value);
  }
  return input;
};

/**
 * Validates an operation's input, strictly.
 * @throws FairleadError `invalid_input` that names the field, the rule and, for fields of similar systems, what to use instead
 */
export const readInput = <R extends Operation>(row: R, raw: unknown): z.output<R['input']> => {
  const result = row.input.safeParse(raw);
  if (result.success) return result.data as z.output<R['input']>;
  const error = invalidInput(result.error, '', row.input);
  const name = error.context.field?.split('.').at(-1) ?? '';
  const hint = error.context.rule?.startsWith('Unrecognized') ? FOREIGN_TASK_FIELDS[name] : undefined;
  throw hint ? new FairleadError('invalid_input', { ...error.context, hint }) : error;
};
