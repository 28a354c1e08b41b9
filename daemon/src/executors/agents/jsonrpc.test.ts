import { describe, expect, it } from 'vitest';
import { createLineReader } from './agent-lines.ts';
import { createRpcPeer, RpcEnded, RpcError, unknownMethod, type RpcHandlers } from './jsonrpc.ts';

const peerOf = (handlers: Partial<RpcHandlers> = {}, version = true) => {
  const reader = createLineReader();
  const sent: unknown[] = [];
  const strays: unknown[] = [];
  const peer = createRpcPeer(
    { send: async (message) => void sent.push(JSON.parse(JSON.stringify(message))), lines: reader.lines },
    {
      request: async (method) => {
        throw unknownMethod(method);
      },
      notification: () => undefined,
      stray: (line) => void strays.push(line),
      ...handlers,
    },
    version,
  );
  return { peer, sent, strays, say: (text: string) => reader.push(Buffer.from(`${text}\n`)), end: () => reader.end() };
};

describe('a peer', () => {
  it('matches answers to what it asked, in whatever order they come', async () => {
    const { peer, sent, say } = peerOf();
    const [one, two] = [peer.call('one', { a: 1 }), peer.call('two', undefined)];
    say('{"id":2,"result":"second"}');
    say('{"jsonrpc":"2.0","id":1,"result":{"ok":true},"odd":1}');
    expect(await Promise.all([one, two])).toEqual([{ ok: true }, 'second']);
    expect(sent).toEqual([
      { jsonrpc: '2.0', id: 1, method: 'one', params: { a: 1 } },
      { jsonrpc: '2.0', id: 2, method: 'two' },
    ]);
  });

  it('leaves the version out where the other side does', () => {
    const { peer, sent } = peerOf({}, false);
    peer.notify('initialized', undefined);
    expect(sent).toEqual([{ method: 'initialized' }]);
  });

  it.each([
    ['{"code":429,"message":"slow down","data":{"x":1}}', 429, 'slow down'],
    ['{"code":"E","message":7}', -32_603, 'An error without words'],
    ['"no"', -32_603, 'An error without words'],
  ])('passes on a no: %s', async (error, code, message) => {
    const { peer, say } = peerOf();
    const asked = peer.call('x', {});
    say(`{"id":1,"error":${error}}`);
    await expect(asked).rejects.toMatchObject({ name: 'RpcError', code, message });
  });

  it('answers what it is asked, also with null and with a no that hides what went wrong here', async () => {
    const { sent, say, end, peer } = peerOf({
      request: async (method, params) => {
        if (method === 'sum') return (params as { a: number }).a + 1;
        if (method === 'nothing') return undefined;
        if (method === 'fault') throw new TypeError('a secret of ours');
        throw new RpcError(-32_002, 'not there');
      },
    });
    for (const [id, method] of ['"a"', '0', '2', '3'].map((id, at) => [id, ['sum', 'nothing', 'fault', 'gone'][at]] as const))
      say(`{"id":${id},"method":"${method}","params":{"a":1}}`);
    end();
    await peer.closed;
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(sent).toEqual([
      { jsonrpc: '2.0', id: 'a', result: 2 },
      { jsonrpc: '2.0', id: 0, result: null },
      { jsonrpc: '2.0', id: 2, error: { code: -32_603, message: 'Something went wrong on this side' } },
      { jsonrpc: '2.0', id: 3, error: { code: -32_002, message: 'not there' } },
    ]);
  });

  it('goes on hearing while it works on an answer', async () => {
    const heard: string[] = [];
    let release = (): void => undefined;
    const { sent, say, end, peer } = peerOf({
      request: () => new Promise((resolve) => (release = () => resolve('late'))),
      notification: (method) => {
        heard.push(method);
        release();
      },
    });
    say('{"id":1,"method":"slow"}');
    say('{"method":"meanwhile"}');
    end();
    await peer.closed;
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(heard).toEqual(['meanwhile']);
    expect(sent).toEqual([{ jsonrpc: '2.0', id: 1, result: 'late' }]);
  });

  it('hands over what is no message of the protocol', async () => {
    const { strays, say, end, peer } = peerOf();
    for (const line of ['garbage', '[1]', '"text"', '{"id":77,"result":1}', '{"id":"1","result":1}', '{}', '']) say(line);
    end();
    await peer.closed;
    expect(strays).toEqual(['garbage', [1], 'text', { id: 77, result: 1 }, { id: '1', result: 1 }, {}]);
  });

  it('gives up what is asked when the other side ends, before and after', async () => {
    const { peer, end } = peerOf();
    const before = peer.call('x', {});
    end();
    await expect(before).rejects.toBeInstanceOf(RpcEnded);
    await peer.closed;
    await expect(peer.call('y', {})).rejects.toBeInstanceOf(RpcEnded);
  });
});
