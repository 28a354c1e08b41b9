import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { Agent, createServer, request as requestHttp, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { createEgress, type Egress, type EgressOptions } from './egress.ts';
import type { Refusal } from './traffic.ts';

const SECRET = 'sk-owner-secret-4711';
const folder = mkdtempSync(join(tmpdir(), 'fle-'));
const opened: { close(): Promise<void> | void }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const serve = async (listener: RequestListener): Promise<{ server: Server; port: number }> => {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  opened.push({ close: () => (server.closeAllConnections(), void server.close()) });
  return { server, port: (server.address() as AddressInfo).port };
};

const open = async (options: Partial<EgressOptions>): Promise<{ egress: Egress; refusals: Refusal[] }> => {
  const refusals: Refusal[] = [];
  const egress = await createEgress({ network: { mode: 'none' }, folder, refused: (one) => refusals.push(one), ...options });
  opened.push(egress);
  return { egress, refusals };
};

interface Got {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

const ask = (
  socketPath: string,
  path: string,
  more: { method?: string; headers?: Record<string, string>; body?: Buffer; agent?: Agent } = {},
): Promise<Got> =>
  new Promise((resolve, reject) => {
    const { body, ...rest } = more;
    const outgoing = requestHttp({ socketPath, path, ...rest }, (incoming) => {
      let text = '';
      incoming.on('data', (chunk: Buffer) => (text += chunk.toString()));
      incoming.on('end', () => resolve({ status: incoming.statusCode!, headers: incoming.headers, text }));
      incoming.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });

const socketOf = (egress: Egress, at = 0): string => egress.reachedBy('bubblewrap').forwards[at]!.socket;

/** Says CONNECT and answers the status line and the socket. */
const tunnel = async (path: string, target: string, headers = ''): Promise<{ line: string; socket: Socket }> => {
  const socket = connect(path);
  socket.on('error', () => undefined);
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${headers}\r\n`);
  const [first] = (await once(socket, 'data')) as [Buffer];
  return { line: first.toString().split('\r\n')[0]!, socket };
};

const everything = (): boolean => true;

describe('the proxy', () => {
  it('reaches a listed host by tunnel and by plain request, and counts it', async () => {
    const { port } = await serve((request, response) =>
      response.end(`${request.method} ${request.url} ${request.headers.host} ${String(request.headers['x-own'])}`),
    );
    const { egress, refusals } = await open({
      network: { mode: 'listed', hosts: [`registry.example:${port}`] },
      resolve: async () => ['127.0.0.1'],
      isAllowed: everything,
    });
    const { line, socket } = await tunnel(socketOf(egress), `registry.example:${port}`);
    expect(line).toBe('HTTP/1.1 200 Connection established');
    socket.write('GET /a HTTP/1.1\r\nHost: registry.example\r\nConnection: close\r\n\r\n');
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await once(socket, 'close');
    expect(text).toContain('GET /a registry.example undefined');

    const url = `http://registry.example:${port}/b?c=d`;
    const plain = await ask(socketOf(egress), url, {
      headers: { host: 'elsewhere.example', 'x-own': 'kept', 'proxy-connection': 'keep-alive' },
    });
    expect(plain.text).toBe(`GET /b?c=d registry.example:${port} kept`);
    const [row] = egress.summary().hosts;
    expect(row).toMatchObject({ host: 'registry.example', port, connections: 2 });
    expect(row!.bytes_received).toBeGreaterThan(50);
    expect(row!.bytes_sent).toBeGreaterThan(40);
    expect(refusals).toEqual([]);
  });

  it('refuses what is not listed, without asking any resolver, and tells it', async () => {
    const asked: string[] = [];
    const { egress, refusals } = await open({
      network: { mode: 'listed', hosts: ['registry.example'] },
      resolve: async (host) => (asked.push(host), ['127.0.0.1']),
      isAllowed: everything,
    });
    const { line } = await tunnel(socketOf(egress), 'evil.example:443');
    expect(line).toBe('HTTP/1.1 403 Forbidden');
    expect((await tunnel(socketOf(egress), 'registry.example:22')).line).toBe('HTTP/1.1 403 Forbidden');
    expect(await ask(socketOf(egress), 'http://evil.example/')).toMatchObject({
      status: 403,
      headers: { 'x-fairlead-refused': 'host_not_listed' },
    });
    for (const bad of ['/origin-form', 'ftp://registry.example/', 'http://user@registry.example/', 'https://registry.example/'])
      expect((await ask(socketOf(egress), bad)).status).toBe(400);
    expect((await tunnel(socketOf(egress), 'no-port')).line).toBe('HTTP/1.1 400 Bad Request');
    expect(asked).toEqual([]);
    expect(refusals.map(({ host, port, reason_code }) => `${host}:${port} ${reason_code}`).slice(0, 3)).toEqual([
      'evil.example:443 host_not_listed',
      'registry.example:22 port_not_listed',
      'evil.example:80 host_not_listed',
    ]);
    expect(refusals[0]!.at).toMatch(/^\d{4}-.*Z$/);
    expect(egress.summary().refused).toBe(8);
  });

  it('refuses private addresses, whichever way they are written or resolved', async () => {
    const { port } = await serve((_request, response) => response.end('the daemon'));
    const { egress, refusals } = await open({
      network: {
        mode: 'listed',
        hosts: [
          `*.example:${port}`,
          `127.0.0.1:${port}`,
          `[::1]:${port}`,
          `localhost:${port}`,
          `2130706433:${port}`,
          '0x7f.1',
          '169.254.169.254',
        ],
      },
      resolve: async (host) => (host === 'mixed.example' ? ['93.184.215.14', '127.0.0.1'] : host === 'none.example' ? [] : ['127.0.0.1']),
    });
    const targets = ['inner.example', 'mixed.example', '127.0.0.1', '[::1]', 'localhost', '2130706433'].map((host) => `${host}:${port}`);
    for (const target of [...targets, '169.254.169.254:80', '0x7f.1:80'])
      expect((await tunnel(socketOf(egress), target)).line, target).toBe('HTTP/1.1 403 Forbidden');
    expect((await ask(socketOf(egress), `http://inner.example:${port}/`)).text).not.toContain('the daemon');
    expect(new Set(refusals.map((one) => one.reason_code))).toEqual(new Set(['private_address']));
    expect((await tunnel(socketOf(egress), `none.example:${port}`)).line).toBe('HTTP/1.1 502 Bad Gateway');
  });

  it('is not moved by a name that changes its address: there is one resolution, and it is what is connected to', async () => {
    const { port } = await serve((_request, response) => response.end('inner'));
    let asked = 0;
    const { egress } = await open({
      network: { mode: 'listed', hosts: [`rebind.example:${port}`] },
      // The first answer is judged as if public; whoever asked again would be led to another place.
      resolve: async () => (++asked === 1 ? ['127.0.0.1'] : ['127.0.0.2']),
      isAllowed: (address) => address === '127.0.0.1',
    });
    expect((await ask(socketOf(egress), `http://rebind.example:${port}/`)).text).toBe('inner');
    expect(asked).toBe(1);
    expect((await ask(socketOf(egress), `http://rebind.example:${port}/`)).status).toBe(403);
    expect(asked).toBe(2);
  });

  it('reaches any public host on the ports of the web when open, and nothing without a network', async () => {
    const { egress, refusals } = await open({ network: { mode: 'open' }, resolve: async () => ['10.1.2.3'] });
    expect((await tunnel(socketOf(egress), 'anything.example:443')).line).toContain('403');
    expect((await tunnel(socketOf(egress), 'anything.example:22')).line).toContain('403');
    expect(refusals.map((one) => one.reason_code)).toEqual(['private_address', 'port_not_listed']);
    const none = await open({ network: { mode: 'none' } });
    expect(none.egress.reachedBy('bubblewrap')).toMatchObject({ forwards: [], proxy_url: undefined, proxy_env: {} });
  });

  it('says when a host does not answer, and bounds what is told of refusals', async () => {
    const { server, port } = await serve(() => undefined);
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
    const { egress, refusals } = await open({
      network: { mode: 'listed', hosts: [`gone.example:${port}`] },
      resolve: async () => ['127.0.0.1'],
      isAllowed: everything,
    });
    expect((await tunnel(socketOf(egress), `gone.example:${port}`)).line).toContain('502');
    const agent = new Agent({ keepAlive: false });
    for (let at = 0; at < 230; at++) await ask(socketOf(egress), `http://h${at}.example/`, { agent });
    expect(refusals).toHaveLength(200);
    expect(egress.summary().refused).toBe(230);
  });

  it('asks for a token on the loopback of the machine', async () => {
    const { port } = await serve((_request, response) => response.end('yes'));
    const { egress, refusals } = await open({
      network: { mode: 'listed', hosts: [`a.example:${port}`] },
      loopback: true,
      resolve: async () => ['127.0.0.1'],
      isAllowed: everything,
    });
    const url = new URL(egress.reachedBy('unconfined').proxy_url!);
    const by = (authorization?: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const headers = authorization === undefined ? {} : { 'proxy-authorization': authorization };
        requestHttp({ host: url.hostname, port: url.port, path: `http://a.example:${port}/`, headers }, (incoming) => {
          let text = '';
          incoming.on('data', (chunk: Buffer) => (text += chunk.toString())).on('end', () => resolve(text));
        })
          .on('error', reject)
          .end();
      });
    expect(await by(`Basic ${Buffer.from(`${url.username}:${url.password}`).toString('base64')}`)).toBe('yes');
    expect(await by()).toContain('Refused');
    expect(await by('Basic AAAA')).toContain('Refused');
    expect(refusals.map((one) => one.reason_code)).toEqual(['not_authorised', 'not_authorised']);
    const quiet = await open({ network: { mode: 'open' } });
    expect(() => quiet.egress.reachedBy('unconfined')).toThrow(TypeError);
  });
});

const route = (port: number, more: object = {}) => ({
  name: 'vendor',
  port: 7501,
  upstream: `http://127.0.0.1:${port}/base/`,
  headers: { 'X-Api-Key': SECRET },
  ...more,
});

describe('the gateway', () => {
  it.each([
    ['7', 7000],
    ['soon', undefined],
  ])('tells how it was answered, and when to come back (%s)', async (told, wait) => {
    const answers: unknown[] = [];
    const { port } = await serve(({ url }, response) =>
      url!.endsWith('/messages')
        ? response.writeHead(429, { 'retry-after': told }).end()
        : response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' }).end(),
    );
    const { egress } = await open({ routes: [{ ...route(port), answered: (answer) => answers.push(answer) }] });
    await ask(socketOf(egress), '/v1/messages');
    await ask(socketOf(egress), '/v1/others');
    expect(answers).toEqual([
      { status: 429, wait_ms: wait, streamed: false },
      { status: 200, wait_ms: undefined, streamed: true },
    ]);
  });

  it('adds the credential, removes what the agent sent in its place, and keeps it out of the answer', async () => {
    let seen: IncomingMessage['headers'] = {};
    let path = '';
    const { port } = await serve((request, response) => {
      seen = request.headers;
      path = request.url!;
      response.writeHead(302, {
        location: 'https://elsewhere.example/',
        'x-echo': `key ${String(request.headers['x-api-key'])}`,
        connection: 'x-hop',
        'x-hop': '1',
        'x-kept': 'k',
      });
      response.end('moved');
    });
    const { egress } = await open({ routes: [route(port)] });
    const got = await ask(socketOf(egress), '/v1/messages?beta=true', {
      headers: {
        'x-api-key': 'agent',
        authorization: 'Bearer agent',
        cookie: 'a=b',
        connection: 'close, x-mine',
        'x-mine': '1',
        'user-agent': 'cli',
        host: 'evil.example',
      },
    });
    expect(path).toBe('/base/v1/messages?beta=true');
    expect(seen).toMatchObject({ 'x-api-key': SECRET, 'user-agent': 'cli', host: `127.0.0.1:${port}` });
    for (const name of ['authorization', 'cookie', 'x-mine']) expect(seen[name]).toBeUndefined();
    expect(got).toMatchObject({ status: 302, text: 'moved', headers: { location: 'https://elsewhere.example/', 'x-kept': 'k' } });
    expect(got.headers['x-hop']).toBeUndefined();
    expect(JSON.stringify(got)).not.toContain(SECRET);
    expect(egress.reachedBy('bubblewrap')).toMatchObject({ proxy_url: undefined, forwards: [{ port: 7501 }] });
    expect(egress.reachedBy('bubblewrap').gateway_url('vendor')).toBe('http://127.0.0.1:7501');
    expect(() => egress.reachedBy('bubblewrap').gateway_url('other')).toThrow(TypeError);
  });

  it('goes to its upstream only, below its base only', async () => {
    const paths: string[] = [];
    const { port } = await serve((request, response) => (paths.push(request.url!), response.end()));
    const { egress, refusals } = await open({ routes: [route(port)] });
    const bad = [
      'http://evil.example/x',
      '/../admin',
      '/a/../../admin',
      '/%2e%2e/admin',
      '/a/..%2fadmin',
      '/.',
      '/a\\..\\b',
      '/..?x',
      '*',
      '/a#b',
    ];
    for (const path of bad) expect((await ask(socketOf(egress), path)).status, path).toBe(400);
    expect(paths).toEqual([]);
    expect(refusals).toHaveLength(bad.length);
    for (const path of ['//evil.example/x', '/a..b/...', '/@evil.example', '/x?u=../..'])
      expect((await ask(socketOf(egress), path)).status, path).toBe(200);
    expect(paths).toEqual(['/base//evil.example/x', '/base/a..b/...', '/base/@evil.example', '/base/x?u=../..']);
    expect((await tunnel(socketOf(egress), `127.0.0.1:${port}`)).line).toContain('405');
  });

  it('passes an event stream on chunk by chunk, and ends it with whoever hangs up', async () => {
    let send: (text: string) => void = () => undefined;
    const hungUp = new AbortController();
    const { port } = await serve((request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      send = (text) => response.write(`data: ${text}\n\n`);
      request.once('close', () => hungUp.abort());
    });
    const { egress } = await open({ routes: [route(port)] });
    const outgoing = requestHttp({ socketPath: socketOf(egress), path: '/stream', method: 'POST' });
    outgoing.on('error', () => undefined);
    outgoing.end('{}');
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    for (const word of ['one', 'two', 'three']) {
      send(word);
      const [chunk] = (await once(incoming, 'data')) as [Buffer];
      expect(chunk.toString()).toBe(`data: ${word}\n\n`);
    }
    incoming.on('error', () => undefined);
    incoming.destroy();
    while (!hungUp.signal.aborted) await new Promise((resolve) => setTimeout(resolve, 5));
  });

  it('carries a large body both ways in bounded memory, at the speed of the reader', async () => {
    const SIZE = 200 * 1024 * 1024;
    const { port } = await serve((request, response) => request.pipe(response));
    const { egress } = await open({ routes: [route(port)] });
    const outgoing = requestHttp({ socketPath: socketOf(egress), path: '/echo', method: 'POST', headers: { 'content-length': SIZE } });
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    let most = 0;
    const sent = (async () => {
      for (let at = 0; at < SIZE; at += chunk.length) {
        if (!outgoing.write(chunk)) await once(outgoing, 'drain');
        most = Math.max(most, process.memoryUsage().arrayBuffers);
      }
      outgoing.end();
    })();
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    let received = 0;
    incoming.on('data', (data: Buffer) => (received += data.length));
    await Promise.all([sent, once(incoming, 'end')]);
    expect(received).toBe(SIZE);
    expect(most).toBeLessThan(SIZE / 2);
    expect(egress.summary().hosts[0]).toMatchObject({ bytes_sent: SIZE, bytes_received: SIZE });
  });

  it('does not let an upstream that breaks off look complete, and says when there is none', async () => {
    const { server, port } = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' });
      response.write('half');
      setTimeout(() => response.destroy(), 20);
    });
    const { egress } = await open({ routes: [route(port)] });
    await expect(ask(socketOf(egress), '/x')).rejects.toMatchObject({ code: 'ECONNRESET' });
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
    const gone = await ask(socketOf(egress), '/x', { method: 'POST', body: Buffer.alloc(100_000) });
    expect(gone.status).toBe(502);
    expect(JSON.stringify(gone)).not.toContain(SECRET);
  });

  it('asks for a token in the path on the loopback of the machine', async () => {
    const paths: string[] = [];
    const { port } = await serve((request, response) => (paths.push(request.url!), response.end('ok')));
    const { egress, refusals } = await open({ routes: [route(port)], loopback: true });
    const base = egress.reachedBy('unconfined').gateway_url('vendor');
    expect(egress.reachedBy('unconfined').forwards).toEqual([]);
    expect(await (await fetch(`${base}/v1/x?y=1`)).text()).toBe('ok');
    expect((await fetch(`${new URL(base).origin}/v1/x`)).status).toBe(403);
    expect((await fetch(`${base}x/v1/x`)).status).toBe(403);
    expect(paths).toEqual(['/base/v1/x?y=1']);
    expect(refusals.map((one) => one.reason_code)).toEqual(['not_authorised', 'not_authorised']);
  });

  it('leaves nothing open after a thousand connections, and nothing behind at its end', async () => {
    const { server, port } = await serve((_request, response) => response.end('ok'));
    const { egress } = await open({
      network: { mode: 'listed', hosts: [`a.example:${port}`] },
      routes: [route(port)],
      resolve: async () => ['127.0.0.1'],
      isAllowed: everything,
    });
    const [proxy, vendor] = [socketOf(egress, 0), socketOf(egress, 1)];
    expect(statSync(dirname(proxy)).mode & 0o777).toBe(0o700);
    const handles = () => process.getActiveResourcesInfo().filter((name) => /TCP|Pipe/.test(name)).length;
    const before = handles();
    const agent = new Agent({ keepAlive: false });
    for (let at = 0; at < 500; at++) {
      expect((await ask(proxy, `http://a.example:${port}/`, { agent })).text).toBe('ok');
      expect((await ask(vendor, '/x', { agent })).text).toBe('ok');
    }
    const connections = await new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));
    expect(connections).toBeLessThan(5);
    expect(handles() - before).toBeLessThan(10);
    await egress.close();
    expect(existsSync(dirname(proxy))).toBe(false);
    await expect(ask(vendor, '/x')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.each([
    { upstream: 'http://vendor.example' },
    { upstream: 'ftp://127.0.0.1' },
    { upstream: 'https://a:b@vendor.example' },
    { upstream: 'https://vendor.example/?x=1' },
    { upstream: 'nonsense' },
    { headers: { 'x-api-key': `${SECRET}\r\nx: y` } },
    { port: 80 },
    { port: 3128 },
  ])('refuses a route with %j', async (more) => {
    const attempt = open({ routes: [route(1, more)] });
    await expect(attempt).rejects.toMatchObject({ code: 'config_invalid' });
    await expect(attempt).rejects.not.toThrow(SECRET);
  });
});
