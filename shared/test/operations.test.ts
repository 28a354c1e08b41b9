import * as fc from 'fast-check';
import * as z from 'zod';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FairleadError } from '../src/contract/errors.ts';
import { fromHttp, methodOf, pathOf, pathParameters, readInput, toHttp } from '../src/contract/http.ts';
import { InstanceId, newResourceId } from '../src/contract/ids.ts';
import { parseStrictJson } from '../src/contract/json.ts';
import { openapi } from '../src/contract/openapi.ts';
import { operation, type Operation } from '../src/contract/operations/operation.ts';
import { OPERATIONS, defaultGrantOperations, operationsOf, type OperationTable } from '../src/contract/operations/table.ts';
import { readAll, requestRaw } from '../src/kit/http-client.ts';
import { listen, createApp, type Handle, type Listening } from '../src/kit/http-server.ts';
import { generatedInput } from './generated-input.ts';

const ALL: Operation[] = Object.values(OPERATIONS);
const each = ALL.map((row) => [row.name, row] as const);
const RUNS = { numRuns: 25 };

/** A row that nobody knows, to show that a row alone reaches every surface. */
const added = operation({
  name: 'paint_bikeshed',
  title: 'Paint the bikeshed',
  description: 'Paints it.',
  route: 'POST /instances/:instance_id/bikeshed',
  input: z.strictObject({ instance_id: InstanceId, colour: z.enum(['red', 'green']), coats: z.number().int().positive().default(1) }),
  output: z.object({ painted: z.boolean() }),
  scope: 'steps:write',
  effect: 'write',
  remote: true,
});
const TEST_TABLE: OperationTable = { ...OPERATIONS, paint_bikeshed: added };

describe('the table', () => {
  it.each(each)('%s is a sound row', (name, row) => {
    expect(Object.entries(OPERATIONS).find(([, value]) => (value as Operation) === row)?.[0]).toBe(name);
    expect(name).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(name.length).toBeLessThanOrEqual(32);
    expect(row.title.length).toBeGreaterThan(2);
    expect(row.description).toMatch(/\.$/);
    expect(row.effect === 'read').toBe(methodOf(row) === 'GET');
    for (const parameter of pathParameters(row)) {
      expect(row.input.shape, parameter).toHaveProperty(parameter);
      expect((row.input.shape[parameter] as z.core.$ZodType)._zod.optin, parameter).not.toBe('optional');
    }
    if (row.remote) expect(['daemon', 'each']).toContain(row.surface);
    if (row.effect === 'decide') expect(row.scope).toMatch(/:decide$/);
    if (row.effect === 'write') expect(row.scope).toMatch(/:write$|^none$/);
    if (row.effect === 'read') expect(row.scope).toMatch(/:read$|^none$/);
    if (row.scope.startsWith('admin:')) expect(row.remote).toBe(false);
  });

  it('inputs are strict: a field that nobody declared is refused by name', () => {
    for (const row of ALL) {
      expect(() => readInput(row, { undeclared: 1 }), row.name).toThrow(FairleadError);
      expect(
        row.input.safeParse({ undeclared: 1 }).error?.issues.some((issue) => issue.code === 'unrecognized_keys'),
        row.name,
      ).toBe(true);
    }
  });

  it('no two operations of an API share a method and path', () => {
    for (const api of ['daemon', 'relay'] as const) {
      const places = operationsOf(api).map((row) => row.route.replace(/:[a-z_]+/g, ':'));
      expect(new Set(places).size, api).toBe(places.length);
    }
  });

  it('a default grant decides nothing and reads no files', () => {
    const rows = defaultGrantOperations().map((name) => (OPERATIONS as OperationTable)[name]!);
    expect(rows.filter((row) => row.effect === 'decide' || row.scope === 'files:read' || !row.remote)).toEqual([]);
    for (const name of ['start_run', 'submit_task', 'retry_step', 'cancel_step', 'cancel_run', 'close_run'])
      expect(rows.map((row) => row.name)).toContain(name);
  });

  it('has every operation of the first release, each asked remotely', () => {
    const first =
      `list_instances get_instance start_run list_runs get_run cancel_run submit_task close_run list_steps get_step wait_step get_step_result
      get_step_logs list_attempts get_change list_artifacts get_artifact get_artifact_content list_validations list_gates get_gate approve_gate reject_gate
      retry_step cancel_step integrate_change discard_change list_events list_executors list_files read_file search_files`.split(/\s+/);
    expect(
      ALL.filter((row) => row.remote)
        .map((row) => row.name)
        .sort(),
    ).toEqual(first.sort());
  });
});

describe('over HTTP', () => {
  it.each(each)('the input of %s survives the way there, for generated inputs', (_, row) => {
    fc.assert(
      fc.property(generatedInput(row.input), (input) => {
        const { method, path, body } = toHttp(row, input);
        const url = new URL(path, 'http://x');
        const pattern = pathOf(row).split('/');
        const params = Object.fromEntries(
          url.pathname
            .split('/')
            .flatMap((segment, index) =>
              pattern[index]!.startsWith(':') ? [[pattern[index]!.slice(1), decodeURIComponent(segment)]] : [],
            ),
        );
        expect(method === 'POST').toBe(body !== undefined);
        const raw = fromHttp(row, { params, query: url.searchParams, body: body === undefined ? undefined : parseStrictJson(body) });
        expect(readInput(row, raw)).toEqual(readInput(row, input));
      }),
      RUNS,
    );
  });

  it('a field of a similar system is refused with what to use instead', () => {
    const run = newResourceId('run', `ins_${'a'.repeat(26)}`);
    expect(() => readInput(OPERATIONS.submit_task, { run_id: run, task: { goal: 'x', adapter: 'y' } })).toThrow(
      expect.objectContaining({ context: expect.objectContaining({ field: 'task.adapter', hint: 'Use executor.' }) as unknown }),
    );
  });

  describe('through a real server', () => {
    const servers: Partial<Record<'daemon' | 'relay', Listening>> = {};
    beforeAll(async () => {
      for (const api of ['daemon', 'relay'] as const) {
        const handle: Handle = async (row, readRaw) => ({ name: row.name, input: readInput(row, await readRaw()) });
        const mounts = [{ prefix: '/api', rows: operationsOf(api, TEST_TABLE), handle }];
        servers[api] = await listen(createApp({ mounts, routes: { 'POST /echo': () => ({}) } }), { host: '127.0.0.1', port: 0 });
      }
    });
    afterAll(() => Promise.all(Object.values(servers).map((server) => server.close(0))));

    const call = async (api: 'daemon' | 'relay', row: Operation, input: Record<string, unknown>): Promise<unknown> => {
      const { method, path, body } = toHttp(row, input);
      const response = await requestRaw({
        method,
        url: `${servers[api]!.url}/api${path}`,
        body,
        headers: { 'content-type': 'application/json' },
      });
      return JSON.parse((await readAll(response.body)).toString()) as unknown;
    };

    it.each(['daemon', 'relay'] as const)('every operation of the %s is reached, with its input', async (api) => {
      for (const row of operationsOf(api, TEST_TABLE)) {
        for (const input of fc.sample(generatedInput(row.input), 3)) {
          expect(await call(api, row, input), row.name).toEqual({
            name: row.name,
            input: JSON.parse(JSON.stringify(readInput(row, input))) as unknown,
          });
        }
      }
    });

    it('a relay serves no operation that is local', async () => {
      for (const row of ALL.filter((candidate) => !candidate.remote && candidate.surface !== 'relay_admin')) {
        const [input] = fc.sample(generatedInput(row.input), 1);
        expect(['not_found', 'method_not_allowed'], row.name).toContain(((await call('relay', row, input!)) as { code: string }).code);
      }
    });
  });
});

type Json = { readonly [key: string]: unknown };
const walk = (value: unknown, visit: (node: Json, path: string) => void, path = '$'): void => {
  if (Array.isArray(value)) value.forEach((member, index) => walk(member, visit, `${path}[${index}]`));
  else if (typeof value === 'object' && value !== null) {
    visit(value as Json, path);
    for (const [key, member] of Object.entries(value)) walk(member, visit, `${path}.${key}`);
  }
};

describe('OpenAPI', () => {
  const document = (api: 'daemon' | 'relay', table: OperationTable = OPERATIONS) =>
    openapi(operationsOf(api, table), { title: 'Fairlead', version: '0.1.0', prefix: '/api/v1' }) as Json & {
      paths: Record<string, Record<string, Json>>;
    };
  const entriesOf = (api: 'daemon' | 'relay', table?: OperationTable) =>
    Object.entries(document(api, table).paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, entry]) => ({
        path,
        method,
        entry: entry as Json & { operationId: string; parameters: { name: string; in: string; required: boolean; schema: Json }[] },
      })),
    );

  it.each(['daemon', 'relay'] as const)('the document of the %s has each operation once, by its name', (api) => {
    const { openapi: version, info } = document(api);
    expect(version).toBe('3.1.0');
    expect(info).toEqual({ title: 'Fairlead', version: '0.1.0' });
    expect(
      entriesOf(api)
        .map(({ entry }) => entry.operationId)
        .sort(),
    ).toEqual(
      operationsOf(api)
        .map((row) => row.name)
        .sort(),
    );
  });

  it.each(['daemon', 'relay'] as const)('the document of the %s is well formed', (api) => {
    for (const { path, method, entry } of entriesOf(api)) {
      const inPath = [...path.matchAll(/\{([a-z_]+)\}/g)].map((match) => match[1]);
      expect(
        entry.parameters.filter((parameter) => parameter.in === 'path').map((parameter) => parameter.name),
        path,
      ).toEqual(inPath);
      for (const parameter of entry.parameters) {
        expect(parameter.schema, `${path} ${parameter.name}`).toBeTypeOf('object');
        if (parameter.in === 'path') expect(parameter.required).toBe(true);
      }
      expect(new Set(entry.parameters.map((parameter) => `${parameter.in} ${parameter.name}`)).size).toBe(entry.parameters.length);
      expect('requestBody' in entry, path).toBe(method === 'post');
      expect(Object.keys(entry['responses'] as Json)).toEqual(['200', 'default']);
    }
    const whole = document(api);
    walk(whole, (node, path) => {
      const ref = node['$ref'];
      if (typeof ref === 'string')
        expect(
          ref
            .slice(2)
            .split('/')
            .reduce<unknown>((at, key) => (at as Json | undefined)?.[key], whole),
          path,
        ).toBeDefined();
      expect(node, path).not.toHaveProperty('$schema');
    });
    expect(JSON.parse(JSON.stringify(whole))).toEqual(whole);
  });

  it('query parameters are plain values, since that is all a query can say', () => {
    for (const { path, entry } of [...entriesOf('daemon'), ...entriesOf('relay')]) {
      for (const { name, in: place, schema } of entry.parameters)
        if (place === 'query') expect(['string', 'integer', 'number', 'boolean'], `${path} ${name}`).toContain(schema['type']);
    }
  });

  it('a row that is added is in the document, and its path is served', () => {
    for (const api of ['daemon', 'relay'] as const) {
      const found = entriesOf(api, TEST_TABLE).find(({ entry }) => entry.operationId === 'paint_bikeshed');
      expect(found?.path).toBe('/api/v1/instances/{instance_id}/bikeshed');
      expect(found?.entry['requestBody']).toMatchObject({
        content: {
          'application/json': { schema: { required: ['colour'], properties: { coats: { default: 1 } }, additionalProperties: false } },
        },
      });
    }
    expect(defaultGrantOperations(TEST_TABLE)).toContain('paint_bikeshed');
  });
});

describe('as MCP tools', () => {
  it.each(
    Object.values(TEST_TABLE)
      .filter((row) => row.remote)
      .map((row) => [row.name, row] as const),
  )('%s fits what clients accept', (name, row) => {
    expect(name).toMatch(/^[a-z][a-z0-9_]{0,31}$/);
    for (const schema of [
      z.toJSONSchema(row.input, { io: 'input', reused: 'inline', unrepresentable: 'any' }),
      z.toJSONSchema(row.output, { io: 'output', reused: 'inline', unrepresentable: 'any' }),
    ]) {
      expect(schema['type']).toBe('object');
      for (const keyword of ['anyOf', 'oneOf', 'allOf', 'not', 'enum']) expect(schema).not.toHaveProperty(keyword);
      walk(schema, (node, path) => {
        expect(Object.keys(node), path).not.toContain('$ref');
        expect(Object.keys(node), path).not.toContain('$defs');
      });
    }
  });
});
