import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import * as z from 'zod';
import { expect, it } from 'vitest';
import { StepId } from '@fairlead/shared/contract/ids';
import { operation } from '@fairlead/shared/contract/operations/operation';
import { OPERATIONS, operationsOf } from '@fairlead/shared/contract/operations/table';
import { readAll, requestRaw } from '@fairlead/shared/kit/http-client';
import { testConnector, testInstance, testRelay } from './rig.ts';

const colourStep = operation({
  name: 'colour_step',
  title: 'Colour a step',
  description: 'An operation that only this test knows.',
  route: 'POST /steps/:step_id/colour',
  input: z.strictObject({ step_id: StepId, colour: z.enum(['red', 'blue']) }),
  output: z.object({ colour: z.string() }),
  scope: 'steps:write',
  effect: 'write',
  remote: true,
});

it('serves a new row of the table on every surface', async () => {
  const relay = await testRelay({}, { ...OPERATIONS, colour_step: colourStep });
  const instance = testInstance();
  const connector = await testConnector(relay, async ({ input }) => ({
    status: 200,
    type: 'application/json',
    body: Buffer.from(JSON.stringify({ colour: input['colour'] })),
  }));
  const descriptor = connector.descriptor(instance);
  await connector.advertise({ ...descriptor, operations: [...descriptor.operations, 'colour_step'] });
  const { secret } = await relay.plannerToken();
  const get = async (path: string, method = 'GET', body?: string) => {
    const answer = await requestRaw({
      method,
      url: `${relay.url}${path}`,
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
      body,
    });
    return JSON.parse((await readAll(answer.body)).toString('utf8')) as Record<string, unknown>;
  };
  const step = instance.resource('step');
  expect(await get(`/api/v2/steps/${step}/colour`, 'POST', '{"colour":"red"}')).toEqual({ colour: 'red' });
  expect(await get(`/api/v2/steps/${step}/colour`, 'POST', '{"colour":"green"}')).toMatchObject({ code: 'invalid_input', field: 'colour' });
  const { paths } = (await get('/api/v2/openapi.json')) as { paths: Record<string, Record<string, { operationId: string }>> };
  expect(paths['/api/v2/steps/{step_id}/colour']!['post']!.operationId).toBe('colour_step');
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`${relay.url}/mcp`), { requestInit: { headers: { authorization: `Bearer ${secret}` } } }),
  );
  expect((await client.listTools()).tools.map(({ name }) => name)).toContain('colour_step');
  expect((await client.callTool({ name: 'colour_step', arguments: { step_id: step, colour: 'blue' } })).structuredContent).toEqual({
    colour: 'blue',
  });
  await client.close();
  await relay.end();
});

it('names every operation of the relay once in its OpenAPI document', async () => {
  const relay = await testRelay();
  const answer = await requestRaw({ method: 'GET', url: `${relay.url}/api/v2/openapi.json` });
  const { paths } = JSON.parse((await readAll(answer.body)).toString('utf8')) as {
    paths: Record<string, Record<string, { operationId: string }>>;
  };
  const names = Object.values(paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId));
  expect(names.sort()).toEqual(
    operationsOf('relay')
      .map(({ name }) => name)
      .sort(),
  );
  await relay.end();
});

it('shows its API as a page without any script, to anybody, under a policy that runs nothing', async () => {
  const relay = await testRelay();
  const answer = await requestRaw({ method: 'GET', url: `${relay.url}/api/v2/docs` });
  const text = (await readAll(answer.body)).toString('utf8');
  expect(answer.headers).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': expect.stringMatching(/^default-src 'none'; style-src 'sha256-/),
    'x-content-type-options': 'nosniff',
  });
  for (const { name } of operationsOf('relay')) expect(text).toContain(`<article id="${name}">`);
  expect(text).not.toContain('<script');
  await relay.end();
});
