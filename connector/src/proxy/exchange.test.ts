import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { Agent } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { readAll } from '@fairlead/shared/kit/http-client';
import { EndingSource } from '@fairlead/shared/wire/ending';
import { exchange } from './exchange.ts';

const agent = new Agent();
let server: Server | undefined;

const serving = async (answer: RequestListener) => {
  server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return (limit: number, until = new EndingSource()) => exchange(agent, { origin, path: '/', method: 'GET' }, { limit, until });
};

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

describe('an exchange with the daemon', () => {
  it('answers a small body whole', async () => {
    const ask = await serving((_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"a":1}'));
    expect(await ask(100)).toMatchObject({ status: 200, mediaType: 'application/json', body: Buffer.from('{"a":1}') });
  });

  it('hands on a larger one as a stream that loses nothing, whether its length is told or not', async () => {
    const bytes = Buffer.alloc(3_000_000, 'abcdefg');
    let told = true;
    const ask = await serving((_, response) => {
      if (told) response.setHeader('content-length', bytes.length);
      response.flushHeaders();
      response.end(bytes);
    });
    for (told of [true, false]) {
      const { body, length } = await ask(1000);
      expect(length).toBe(told ? bytes.length : undefined);
      expect(Buffer.isBuffer(body)).toBe(false);
      expect((await readAll(body as Readable)).equals(bytes)).toBe(true);
    }
  });

  it('reads no further than its reader', async () => {
    let sent = 0;
    const ask = await serving((_, response) => {
      const more = () => {
        do sent += 65_536;
        while (sent < 200_000_000 && response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', more);
      more();
    });
    const { body } = await ask(0);
    await new Promise((resolve) => setTimeout(resolve, 300));
    // What the system's buffers hold of a loopback connection is some megabytes.
    expect(sent).toBeLessThan(50_000_000);
    (body as Readable).destroy();
  });

  it('answers a refusal whole, where a stream was asked for too', async () => {
    const ask = await serving((_, response) => response.writeHead(404).end('{"code":"not_found"}'));
    expect(await ask(0)).toMatchObject({ status: 404, body: Buffer.from('{"code":"not_found"}') });
  });

  it('fails when the line breaks in the middle of a body', async () => {
    const ask = await serving((_, response) => {
      response.writeHead(200, { 'content-length': 10 }).write('half ');
      setTimeout(() => response.destroy(), 20);
    });
    await expect(ask(100)).rejects.toThrow();
    await expect(readAll((await ask(0)).body as Readable)).rejects.toThrow();
  });

  it('is given up at once, and the daemon sees it', async () => {
    let closed: Promise<unknown> | undefined;
    const until = new EndingSource();
    const ask = await serving((request) => {
      closed = once(request.socket, 'close');
      until.end(new Error('gone'));
    });
    await expect(ask(100, until)).rejects.toThrow('gone');
    await closed;
    await expect(ask(100, until)).rejects.toThrow('gone');
  });

  it('closes the connection of a stream that nobody reads to its end', async () => {
    let closed: Promise<unknown> | undefined;
    const ask = await serving((request, response) => {
      closed = once(request.socket, 'close');
      response.write('first');
    });
    const { body } = await ask(0);
    (body as Readable).destroy();
    await closed;
  });
});
