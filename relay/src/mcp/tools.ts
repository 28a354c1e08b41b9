import type { Tool } from '@modelcontextprotocol/server';
import type { Operation, Scope } from '@fairlead/shared/contract/operations/operation';
import * as z from 'zod';

/** An operation with the tool that it is. */
export interface OperationTool {
  readonly row: Operation;
  readonly tool: Tool;
}

type ObjectSchema = { type: 'object'; properties: Record<string, object>; required?: string[]; [key: string]: unknown };

/** A plain object schema: everything in place, because clients flatten, drop or refuse references. */
const plainSchema = (schema: z.ZodType): ObjectSchema => {
  // Answers grow with the daemon, so their schema is the tolerant one of what may be read, not of what this version writes.
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' });
  return rest as ObjectSchema;
};

const IDEMPOTENCY_KEY = {
  type: 'string',
  minLength: 1,
  maxLength: 200,
  pattern: '^[\\x21-\\x7e]+$',
  description:
    'The same key asks for the same effect, once. Without it the relay makes one; after outcome_unknown send the key that the error names.',
};

const toolOf = (row: Operation): Tool => {
  const input = plainSchema(row.input);
  if (row.effect !== 'read') input.properties = { ...input.properties, idempotency_key: IDEMPOTENCY_KEY };
  return {
    name: row.name,
    title: row.title,
    description: row.description,
    inputSchema: input as Tool['inputSchema'],
    outputSchema: plainSchema(row.output),
    annotations: {
      title: row.title,
      readOnlyHint: row.effect === 'read',
      destructiveHint: row.effect === 'decide',
      idempotentHint: row.repeatable,
      openWorldHint: false,
    },
  };
};

/** One tool for each remote operation of a table, by name and in its order. */
export const operationTools = (rows: readonly Operation[]): ReadonlyMap<string, OperationTool> =>
  new Map(rows.filter((row) => row.remote).map((row) => [row.name, { row, tool: toolOf(row) }]));

/**
 * The tools that a caller may see: what its scopes allow and, once it can see instances, what any of them serves.
 * @param served names of operations that the caller's instances serve; undefined while it has none
 */
export const listedTools = (
  tools: ReadonlyMap<string, OperationTool>,
  scopes: ReadonlySet<Scope>,
  served: ReadonlySet<string> | undefined,
): Tool[] =>
  [...tools.values()]
    .filter(
      ({ row }) =>
        (row.scope === 'none' || scopes.has(row.scope)) && (row.surface === 'each' || served === undefined || served.has(row.name)),
    )
    .map(({ tool }) => tool);
