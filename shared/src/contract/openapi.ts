import * as z from 'zod';
import { Problem } from './errors.ts';
import { methodOf, pathOf, pathParameters } from './http.ts';
import type { Operation } from './operations/operation.ts';

const jsonSchema = (schema: z.ZodType, io: 'input' | 'output'): Record<string, unknown> => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any', reused: 'inline' });
  return rest;
};

const problem = {
  description: 'A problem document (RFC 9457)',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};

const answerOf = (row: Operation): Record<string, unknown> => {
  const schema = jsonSchema(row.output, 'output');
  if (row.stream === 'bytes') return { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } };
  return { 'application/json': { schema }, ...(row.stream === 'events' && { 'text/event-stream': { schema: { type: 'string' } } }) };
};

const entryOf = (row: Operation) => {
  const inPath = new Set(pathParameters(row));
  const { properties = {}, required = [] } = jsonSchema(row.input, 'input') as {
    properties?: Record<string, Record<string, unknown>>;
    required?: string[];
  };
  const parameter = (name: string, place: 'path' | 'query') => {
    const { description, ...schema } = properties[name]!;
    return {
      name,
      in: place,
      required: place === 'path' || required.includes(name),
      ...(description !== undefined && { description }),
      schema,
    };
  };
  const rest = Object.keys(properties).filter((name) => !inPath.has(name));
  const hasBody = methodOf(row) === 'POST';
  const key = {
    name: 'Idempotency-Key',
    in: 'header',
    required: false,
    description: 'The same key asks for the same effect, once',
    schema: { type: 'string', maxLength: 200 },
  };
  return {
    operationId: row.name,
    summary: row.title,
    description: row.description,
    tags: [row.scope.split(':')[0]],
    'x-fairlead': { scope: row.scope, effect: row.effect, remote: row.remote, repeatable: row.repeatable },
    ...(row.scope === 'none' && { security: [] }),
    parameters: [
      ...[...inPath].map((name) => parameter(name, 'path')),
      ...(hasBody ? [] : rest.map((name) => parameter(name, 'query'))),
      ...(row.effect === 'read' ? [] : [key]),
    ],
    ...(hasBody && {
      requestBody: {
        required: rest.some((name) => required.includes(name)),
        content: {
          'application/json': {
            schema: {
              type: 'object',
              additionalProperties: false,
              properties: Object.fromEntries(rest.map((name) => [name, properties[name]])),
              required: required.filter((name) => !inPath.has(name)),
            },
          },
        },
      },
    }),
    responses: { '200': { description: 'Done', content: answerOf(row) }, default: problem },
  };
};

/** The OpenAPI 3.1 document of an API, from its rows. */
export const openapi = (rows: readonly Operation[], about: { title: string; version: string; prefix: string }): Record<string, unknown> => {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const row of rows) {
    const path = `${about.prefix}${pathOf(row).replace(/:([a-z_]+)/g, '{$1}')}`;
    (paths[path] ??= {})[methodOf(row).toLowerCase()] = entryOf(row);
  }
  return {
    openapi: '3.1.0',
    info: { title: about.title, version: about.version },
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: jsonSchema(Problem, 'output') },
    },
  };
};
