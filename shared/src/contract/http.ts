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

/** Turns an operation's input into an HTTP call. */
export const toHttp = (row: Operation, input: Readonly<Record<string, unknown>>): HttpCall => {
  const rest = { ...input };
  const path = pathOf(row).replace(PARAMETER, (_, name: string) => {
    const value = rest[name];
    delete rest[name];
    return encodeURIComponent(String(value));
  });
  const method = methodOf(row);
  if (method === 'POST') return { method, path, body: JSON.stringify(rest) };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(rest)) if (value !== undefined) query.set(name, String(value));
  return { method, path: query.size > 0 ? `${path}?${query}` : path, body: undefined };
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
      throw new FairleadError('invalid_input', { rule: 'the body must be a JSON object', detail: 'The body must be a JSON object' });
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
  const error = invalidInput(result.error);
  const name = error.context.field?.split('.').at(-1) ?? '';
  const hint = error.context.rule?.startsWith('Unrecognized') ? FOREIGN_TASK_FIELDS[name] : undefined;
  throw hint ? new FairleadError('invalid_input', { ...error.context, hint }) : error;
};
