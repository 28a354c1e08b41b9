import http from 'node:http';
import net from 'node:net';
import * as z from 'zod';
import { afterEach, describe, expect, it } from 'vitest';
import { FairleadError } from '../contract/errors.ts';
import { readInput } from '../contract/http.ts';
import { LIMITS } from '../contract/limits.ts';
import { operation } from '../contract/operations/operation.ts';
import { keepAliveAgent, nodeTransport, readAll, requestRaw } from './http-client.ts';
import {
  RawAnswer,
  bearerOf,
  checkHostAndOrigin,
  idempotencyKeyOf,
  listen,
  rawJson,
  createApp,
  type Handle,
  type Listening,
  type ServerParts,
} from './http-server.ts';

const base = { title: 'T', description: 'D', output: z.object({}), scope: 'none' } as const;
const getThing = operation({
  ...base,
  name: 'get_thing',
  route: 'GET /things/:thing_id',
  input: z.strictObject({ thing_id: z.string(), deep: z.boolean().default(false) }),
});
const makeThing = operation({
  ...base,
  name: 'make_thing',
  route: 'POST /things',
  input: z.strictObject({ name: z.string() }),
  effect: 'write',
});
const listSpecial = operation({ ...base, name: 'list_special', route: 'GET /things/special', input: z.strictObject({}) });
const rows = [getThing, makeThing, listSpecial];

const open: Listening[] = [];
const agents: http.Agent[] = [];
afterEach(async () => {
  for (const agent of agents.splice(0)) agent.destroy();
  for (const server of open.splice(0)) await server.close(0);
});

const serve = async (handle: Handle, more: Partial<ServerParts> = {}) => {
  const server = await listen(createApp({ mounts: [{ prefix: '/api/v1', rows, handle }], ...more }), { host: '127.0.0.1', port: 0 });
  open.push(server);
  return server;
};
const ask = async (server: Listening, method: string, path: string, body?: string | Buffer, headers: Record<string, string> = {}) => {
  const response = await requestRaw({
    method,
    url: `${server.url}${path}`,
    body,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
  });
  const text = (await readAll(response.body)).toString();
  return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) as Record<string, unknown> };
};
const echo: Handle = async (row, readRaw) => ({ operation: row.name, input: readInput(row, await readRaw()) });

describe('createApp', () => {
  it('puts the input together from path, query and body', async () => {
    const server = await serve(echo);
    expect((await ask(server, 'GET', '/api/v1/things/a%20b%2Fc?deep=true')).json()).toEqual({
      operation: 'get_thing',
      input: { thing_id: 'a b/c', deep: true },
    });
    expect((await ask(server, 'POST', '/api/v1/things', '{"name":"ü"}')).json()).toEqual({ operation: 'make_thing', input: { name: 'ü' } });
    expect((await ask(server, 'GET', '/api/v1/things/special')).json()['operation']).toBe('list_special');
  });

  it.each([
    ['GET', '/api/v1/nothing', undefined, 404, 'not_found'],
    ['GET', '/api/v1/things/', undefined, 404, 'not_found'],
    ['GET', '/api/v1/things/%ff', undefined, 404, 'not_found'],
    ['GET', '/api/v1/things/../../etc', undefined, 404, 'not_found'],
    ['GET', '/api/v1', undefined, 404, 'not_found'],
    ['DELETE', '/api/v1/things', undefined, 405, 'method_not_allowed'],
    ['GET', '/api/v1/things/x?deep=true&deep=false', undefined, 400, 'invalid_input'],
    ['GET', '/api/v1/things/x?thing_id=y', undefined, 400, 'invalid_input'],
    ['GET', '/api/v1/things/x?other=1', undefined, 400, 'invalid_input'],
    ['GET', '/api/v1/things/x?deep=maybe', undefined, 400, 'invalid_input'],
    ['POST', '/api/v1/things', '{"name":"a","name":"b"}', 400, 'malformed_json'],
    ['POST', '/api/v1/things', '{"__proto__":{}}', 400, 'malformed_json'],
    ['POST', '/api/v1/things', '[]', 400, 'invalid_input'],
    ['POST', '/api/v1/things', '"x"', 400, 'invalid_input'],
    ['POST', '/api/v1/things', '', 400, 'invalid_input'],
    ['POST', '/api/v1/things', Buffer.from([0x22, 0xff, 0x22]), 400, 'malformed_json'],
  ])('%s %s with %s is refused', async (method, path, body, status, code) => {
    const answer = await ask(await serve(echo), method, path, body);
    expect([answer.status, answer.json()['code']]).toEqual([status, code]);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.json()['request_id']).toBe(answer.headers['fairlead-request']);
    expect(answer.json()['hint']).toBeTruthy();
  });

  it('takes JSON only as JSON, so that a web page cannot send it unasked', async () => {
    const answer = await ask(await serve(echo), 'POST', '/api/v1/things', '{"name":"x"}', { 'content-type': 'text/plain' });
    expect([answer.status, answer.json()['field']]).toEqual([400, 'Content-Type']);
  });

  it('refuses bodies above the limit, announced or not, and answers before they are complete', async () => {
    const server = await serve(echo);
    const raw = (head: string, body: string) =>
      new Promise<string>((resolve) => {
        let text = '';
        const socket = net.connect(server.port, '127.0.0.1', () => {
          socket.write(`POST /api/v1/things HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${head}\r\n\r\n`);
          socket.write(body);
        });
        socket.on('data', (data) => {
          text += data.toString();
          if (text.includes('}')) socket.destroy();
        });
        socket.on('close', () => resolve(text));
        socket.on('error', () => resolve(text));
      });
    expect(await raw(`Content-Length: ${LIMITS.request_body.value + 1}`, '{')).toContain('HTTP/1.1 413');
    const chunk = 'x'.repeat(1024 * 1024);
    const chunked = `${chunk.length.toString(16)}\r\n${chunk}\r\n`.repeat(9);
    expect(await raw('Transfer-Encoding: chunked', chunked)).toContain('HTTP/1.1 413');
    expect((await ask(server, 'GET', '/api/v1/things/special')).status).toBe(200);
  });

  it('tells errors by their code and hides what is no FairleadError', async () => {
    const failed: unknown[] = [];
    const server = await serve(
      async (row) => {
        if (row === getThing) throw new FairleadError('rate_limited', { more: { retry_after: 2.2 } });
        throw new Error('/home/secret');
      },
      { failed: (error) => failed.push(error) },
    );
    const limited = await ask(server, 'GET', '/api/v1/things/x');
    expect([limited.status, limited.headers['retry-after'], limited.json()['retryable']]).toEqual([429, '3', true]);
    const broken = await ask(server, 'GET', '/api/v1/things/special');
    expect(broken.text).not.toContain('secret');
    expect(broken.json()['code']).toBe('internal');
    expect((failed[1] as Error).message).toBe('/home/secret');
  });

  it('hands raw answers on untouched, streams others, and puts the security headers on all', async () => {
    const server = await serve(async (row) =>
      row === listSpecial
        ? rawJson(Buffer.from('{ "as" : "it came" }'), 201)
        : new RawAnswer(
            (async function* () {
              yield 'one ';
              yield Buffer.from('two');
            })(),
            { headers: { 'content-type': 'application/octet-stream', 'content-disposition': 'attachment' } },
          ),
    );
    const raw = await ask(server, 'GET', '/api/v1/things/special');
    expect([raw.status, raw.text]).toEqual([201, '{ "as" : "it came" }']);
    const streamed = await ask(server, 'GET', '/api/v1/things/x');
    expect(streamed.text).toBe('one two');
    for (const { headers } of [raw, streamed])
      expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
    expect(streamed.headers['content-security-policy']).toContain('sandbox');
  });

  it('a caller that hangs up aborts the signal and stops the stream', async () => {
    let stopped: (value: string) => void = () => {};
    const seen = new Promise<string>((resolve) => (stopped = resolve));
    const server = await serve(
      async (_, __, context) =>
        new RawAnswer(
          (async function* () {
            try {
              yield 'data: 1\n\n';
              await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
            } finally {
              stopped(context.signal.aborted ? 'aborted' : 'not aborted');
            }
          })(),
          { headers: { 'content-type': 'text/event-stream' } },
        ),
    );
    const controller = new AbortController();
    const response = await requestRaw({ method: 'GET', url: `${server.url}/api/v1/things/x`, signal: controller.signal });
    await new Promise((resolve) => response.body.once('data', resolve));
    response.body.on('error', () => {});
    controller.abort();
    expect(await seen).toBe('aborted');
  });

  it('a long stream to a slow reader passes whole, and leaves no listeners behind', async () => {
    const warnings: Error[] = [];
    const warned = (warning: Error) => void warnings.push(warning);
    process.on('warning', warned);
    const server = await serve(
      async () =>
        new RawAnswer(
          (async function* () {
            for (let part = 0; part < 60; part++) yield Buffer.alloc(256 * 1024);
          })(),
        ),
    );
    const response = await requestRaw({ method: 'GET', url: `${server.url}/api/v1/things/x` });
    let size = 0;
    for await (const part of response.body as AsyncIterable<Buffer>) {
      size += part.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    process.off('warning', warned);
    expect(size).toBe(60 * 256 * 1024);
    expect(warnings).toEqual([]);
  });

  it('a stream that breaks is a broken connection, never a short answer', async () => {
    const server = await serve(
      async () =>
        new RawAnswer(
          (async function* () {
            yield 'half';
            throw new Error('disk');
          })(),
        ),
    );
    await expect(ask(server, 'GET', '/api/v1/things/x')).rejects.toThrow();
  });

  it('serves plain routes and other listeners beside the operations, after the check', async () => {
    const server = await serve(echo, {
      routes: { 'GET /healthz': () => ({ ok: true }) },
      endpoints: { '/mcp': async () => new Response('mcp') },
      check: ({ headers }) => checkHostAndOrigin(headers, { hosts: ['relay.example'], origins: ['https://console.example'] }),
    });
    expect((await ask(server, 'GET', '/healthz')).json()).toEqual({ ok: true });
    expect((await ask(server, 'POST', '/mcp')).text).toBe('mcp');
    expect((await ask(server, 'POST', '/mcp', undefined, { origin: 'https://evil.example' })).json()['code']).toBe('origin_denied');
    expect((await ask(server, 'GET', '/healthz', undefined, { host: 'evil.example' })).json()['code']).toBe('host_denied');
    expect(
      (await ask(server, 'GET', '/healthz', undefined, { host: 'relay.example:8443', origin: 'https://console.example' })).status,
    ).toBe(200);
  });

  it('refuses a table with two operations at one place', () => {
    const again = operation({ ...base, name: 'again', route: 'GET /things/:other_id', input: z.strictObject({ other_id: z.string() }) });
    expect(() => createApp({ mounts: [{ prefix: '', rows: [getThing, again], handle: echo }] })).toThrow(TypeError);
  });
});

describe('headers', () => {
  const codeIn = (run: () => unknown): string => {
    try {
      run();
      return 'none';
    } catch (error) {
      return (error as FairleadError).code;
    }
  };

  it('a bearer token is one word', () => {
    expect(bearerOf({ authorization: 'Bearer flo_x-1' })).toBe('flo_x-1');
    for (const authorization of [undefined, '', 'Basic x', 'Bearer', 'Bearer a b', 'Bearer ü'])
      expect(
        codeIn(() => bearerOf({ authorization })),
        authorization,
      ).toBe('unauthenticated');
  });

  it('an idempotency key is printable and bounded', () => {
    expect(idempotencyKeyOf({})).toBeUndefined();
    expect(idempotencyKeyOf({ 'idempotency-key': 'k'.repeat(200) })).toHaveLength(200);
    for (const key of ['', 'k'.repeat(201), 'a b', 'ü'])
      expect(
        codeIn(() => idempotencyKeyOf({ 'idempotency-key': key })),
        key,
      ).toBe('invalid_input');
  });

  it('hosts are ours or refused', () => {
    for (const host of ['localhost', 'LOCALHOST:1', '127.0.0.1:8085', '[::1]:8085'])
      expect(
        codeIn(() => checkHostAndOrigin({ host })),
        host,
      ).toBe('none');
    for (const host of ['', 'evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '127.0.0.1:80@evil', '0.0.0.0'])
      expect(
        codeIn(() => checkHostAndOrigin({ host })),
        host,
      ).toBe('host_denied');
    expect(codeIn(() => checkHostAndOrigin({ host: 'localhost', origin: 'null' }))).toBe('origin_denied');
  });
});

describe('listen and requestRaw', () => {
  it('a port in use and an address that is not ours have their codes', async () => {
    const server = await serve(echo);
    const listener = createApp({ mounts: [] });
    await expect(listen(listener, { host: '127.0.0.1', port: server.port })).rejects.toMatchObject({ code: 'port_in_use' });
    await expect(listen(listener, { host: '192.0.2.1', port: 0 })).rejects.toMatchObject({ code: 'config_invalid' });
  });

  it('nobody there is said at once, with the code of who was expected', async () => {
    await expect(requestRaw({ method: 'POST', url: 'http://127.0.0.1:1/' })).rejects.toMatchObject({ code: 'daemon_not_running' });
    await expect(
      nodeTransport({ unreachable: 'relay_not_running' })({
        method: 'GET',
        url: 'http://127.0.0.1:1/',
        headers: {},
        body: undefined,
        signal: undefined,
      }),
    ).rejects.toMatchObject({ code: 'relay_not_running' });
  });

  it('a write whose answer is lost is unknown; on a kept connection that died it is sent again only with a key', async () => {
    let requests = 0;
    const server = http.createServer((request, response) => {
      requests++;
      if (requests % 2 === 1 && request.url === '/warm') response.end('ok');
      else if (request.headers['x-die'] !== undefined && requests === 2) request.socket.destroy();
      else response.end('again');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
    const agent = keepAliveAgent();
    agents.push(agent);
    const warm = async () => {
      requests = 0;
      await readAll((await requestRaw({ method: 'GET', url: `${url}/warm` }, { agent })).body);
      await new Promise((resolve) => setImmediate(resolve));
    };
    await warm();
    await expect(requestRaw({ method: 'POST', url, headers: { 'x-die': '1' }, body: '{}' }, { agent })).rejects.toMatchObject({
      code: 'outcome_unknown',
    });
    await warm();
    const again = await requestRaw({ method: 'POST', url, headers: { 'x-die': '1', 'idempotency-key': 'k' }, body: '{}' }, { agent });
    expect((await readAll(again.body)).toString()).toBe('again');
    expect(requests).toBe(3);
    server.close();
    server.closeAllConnections();
  });

  it('closing lets what is under way end', async () => {
    const server = await serve(async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return { done: true };
    });
    const answer = ask(server, 'GET', '/api/v1/things/special');
    await new Promise((resolve) => setTimeout(resolve, 20));
    const closed = server.close(5000);
    expect((await answer).json()).toEqual({ done: true });
    await closed;
  });
});
