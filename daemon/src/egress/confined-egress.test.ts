import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { detectConfinement } from '../process/detect.ts';
import { createEgress } from './egress.ts';

const folder = mkdtempSync(join(tmpdir(), 'fle-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const confining = await detectConfinement({ folder: join(folder, 'own'), toolchain: [] });
if (!confining.sandbox) process.stderr.write(`skipped in part: no sandbox here (${confining.reason})\n`);
const sandboxes = [confining.unconfined, ...(confining.sandbox ? [confining.sandbox] : [])];

/** What an agent would do: call its model by the base URL, fetch a package by the proxy, and look for the key everywhere it can. */
const AGENT = `
const http = require('node:http');
const get = (options) => new Promise((resolve) => http.get(options, (r) => { let t = ''; r.on('data', (c) => (t += c)).on('end', () => resolve(r.statusCode + ' ' + t)); }).on('error', (e) => resolve(e.code)));
(async () => {
  console.log('model', await get(process.env.BASE_URL + '/v1/messages'));
  const proxy = new URL(process.env.HTTP_PROXY);
  const headers = proxy.username ? { 'proxy-authorization': 'Basic ' + Buffer.from(proxy.username + ':' + proxy.password).toString('base64') } : {};
  const by = (path) => get({ host: proxy.hostname, port: proxy.port, path, headers });
  console.log('listed', await by('http://registry.example:' + process.env.PORT + '/pkg'));
  console.log('other', await by('http://evil.example:' + process.env.PORT + '/'));
  if (process.env.DIRECT) console.log('direct', await get('http://192.0.2.1:' + process.env.PORT + '/'));
  console.log('env', JSON.stringify(process.env));
})();`;

describe.each(sandboxes.map((sandbox) => [sandbox.kind, sandbox] as const))('work that is %s', (kind, sandbox) => {
  it('reaches its model and the listed host, and never sees the key', async () => {
    let key: unknown;
    const upstream = createServer((request, response) => {
      if (request.url!.startsWith('/v1')) key = request.headers['x-api-key'];
      response.end(`answer to ${request.url}`);
    });
    upstream.listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    const { port } = upstream.address() as AddressInfo;
    const refused: string[] = [];
    const egress = await createEgress({
      network: { mode: 'listed', hosts: [`registry.example:${port}`] },
      routes: [{ name: 'vendor', port: 7502, upstream: `http://127.0.0.1:${port}`, headers: { 'x-api-key': 'sk-secret' } }],
      loopback: kind === 'unconfined',
      folder,
      refused: ({ host, reason_code }) => refused.push(`${host} ${reason_code}`),
      resolve: async () => ['127.0.0.1'],
      isAllowed: () => true,
    });
    const reached = egress.reachedBy(kind);
    const workspace = join(folder, `work-${kind}`);
    mkdirSync(workspace);
    let text = '';
    const child = await sandbox.start({
      argv: ['node', '-e', AGENT],
      workspace,
      readable: [],
      network: { forwards: reached.forwards },
      env: {
        ...reached.proxy_env,
        BASE_URL: reached.gateway_url('vendor'),
        PORT: String(port),
        ...(kind !== 'unconfined' && { DIRECT: '1' }),
      },
      timeout_ms: 20_000,
      output: (chunk) => (text += chunk.toString()),
    });
    expect(await child.ended).toMatchObject({ exit_code: 0 });
    expect(text).toContain('model 200 answer to /v1/messages');
    expect(text).toContain('listed 200 answer to /pkg');
    expect(text).toContain('other 403 Refused');
    if (kind !== 'unconfined') expect(text).toContain('direct ENETUNREACH');
    expect(key).toBe('sk-secret');
    expect(text).not.toContain('sk-secret');
    expect(refused).toEqual(['evil.example host_not_listed']);
    await egress.close();
    upstream.closeAllConnections();
    upstream.close();
  });
});
