import { afterEach, describe, expect, it } from 'vitest';
import { createModelServer, type ModelServer, type ModelServerOptions } from './model-server.ts';

let server: ModelServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});
const start = async (options: ModelServerOptions): Promise<ModelServer> => (server = await createModelServer(options));

const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(server!.url + path, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } });

type Shape = Record<string, unknown>;
const dataOf = (text: string): Shape[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('data: ') && line !== 'data: [DONE]')
    .map((line) => JSON.parse(line.slice(6)) as Shape);
const at = (value: unknown, ...path: (string | number)[]): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Record<string | number, unknown> | undefined)?.[key], value);

interface Spoken {
  readonly path: string;
  readonly body: (prompt: string, tool: string) => Shape;
  readonly tool: string;
  /** Puts together what the events say and call. */
  readonly said: (events: Shape[]) => string;
  readonly called: (events: Shape[]) => { name: unknown; args: unknown };
  readonly tokens: (events: Shape[]) => unknown[];
}

const joined = (events: Shape[], ...path: (string | number)[]): string => events.map((event) => at(event, ...path) ?? '').join('');

const SPOKEN: Readonly<Record<string, Spoken>> = {
  'anthropic-messages': {
    path: '/v1/messages?beta=true',
    tool: 'Write',
    body: (prompt, tool) => ({
      model: 'm',
      stream: true,
      system: [{ type: 'text', text: 'be good' }],
      messages: [{ role: 'user', content: [{ type: 'text', text: prompt }] }],
      tools: [{ name: tool, input_schema: { properties: { file_path: {} } } }],
    }),
    said: (events) => joined(events, 'delta', 'text'),
    called: (events) => ({
      name: at(
        events.find((event) => at(event, 'content_block', 'type') === 'tool_use'),
        'content_block',
        'name',
      ),
      args: JSON.parse(joined(events, 'delta', 'partial_json')),
    }),
    tokens: (events) => {
      const usage = at(
        events.find(({ type }) => type === 'message_delta'),
        'usage',
      );
      return [Number(at(usage, 'input_tokens')) + Number(at(usage, 'cache_read_input_tokens')), at(usage, 'output_tokens')];
    },
  },
  'openai-responses': {
    path: '/v1/responses',
    tool: 'exec_command',
    body: (prompt, tool) => ({
      model: 'm',
      stream: true,
      instructions: 'be good',
      input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: prompt }] }],
      tools: [{ type: 'function', name: tool, parameters: { properties: { cmd: {} } } }],
    }),
    said: (events) =>
      joined(
        events.filter(({ type }) => type === 'response.output_text.delta'),
        'delta',
      ),
    called: (events) => {
      const item = at(
        events.find((event) => event['type'] === 'response.output_item.done' && at(event, 'item', 'type') === 'function_call'),
        'item',
      );
      return { name: at(item, 'name'), args: JSON.parse(String(at(item, 'arguments'))) };
    },
    tokens: (events) => {
      const usage = at(events.at(-1), 'response', 'usage');
      return [at(usage, 'input_tokens'), at(usage, 'output_tokens')];
    },
  },
  'openai-chat': {
    path: '/v1/chat/completions',
    tool: 'write',
    body: (prompt, tool) => ({
      model: 'm',
      stream: true,
      messages: [
        { role: 'system', content: 'be good' },
        { role: 'user', content: prompt },
      ],
      tools: [{ type: 'function', function: { name: tool, parameters: { properties: { filePath: {} } } } }],
    }),
    said: (events) => joined(events, 'choices', 0, 'delta', 'content'),
    called: (events) => ({
      name: joined(events, 'choices', 0, 'delta', 'tool_calls', 0, 'function', 'name'),
      args: JSON.parse(joined(events, 'choices', 0, 'delta', 'tool_calls', 0, 'function', 'arguments')),
    }),
    tokens: (events) => [at(events.at(-1), 'usage', 'prompt_tokens'), at(events.at(-1), 'usage', 'completion_tokens')],
  },
  gemini: {
    path: '/v1beta/models/m:streamGenerateContent?alt=sse',
    tool: 'write_file',
    body: (prompt, tool) => ({
      systemInstruction: { parts: [{ text: 'be good' }] },
      contents: [{ role: 'user', parts: [{ text: prompt }] }],
      tools: [{ functionDeclarations: [{ name: tool, parametersJsonSchema: { properties: { file_path: {} } } }] }],
    }),
    said: (events) => joined(events, 'candidates', 0, 'content', 'parts', 0, 'text'),
    called: (events) => {
      const call = at(events.at(-1), 'candidates', 0, 'content', 'parts', 0, 'functionCall');
      return { name: at(call, 'name'), args: at(call, 'args') };
    },
    tokens: (events) => [
      at(events.at(-1), 'usageMetadata', 'promptTokenCount'),
      at(events.at(-1), 'usageMetadata', 'candidatesTokenCount'),
    ],
  },
};

const UNICODE = 'astral \u{1F9EA}\u{1F468}\u200D\u{1F469}, bidi \u202Eabc\u202C, combining e\u0301';

describe.each(Object.entries(SPOKEN))('the scripted model over %s', (wire, { path, body, tool, said, called, tokens }) => {
  const ask = async (prompt: string, headers: Record<string, string> = {}) => post(path, body(prompt, tool), headers);

  it('says each text byte for byte, with the counts it is given, and records what it was asked', async () => {
    await start({
      script: [
        { say: UNICODE, usage: { input: 1200, output: 34, cached: 1000 } },
        { say: 'twice ', repeat: 2 },
      ],
    });
    const events = dataOf(await (await ask('hello', { authorization: 'Bearer k1' })).text());
    expect(said(events)).toBe(UNICODE);
    expect(tokens(events)).toEqual([1200, 34]);
    expect(said(dataOf(await (await ask('more')).text()))).toBe('twice twice ');
    const [first, second] = server!.requests();
    expect(first).toMatchObject({ wire, turn: 0, system: 'be good', prompts: ['hello'], credential: { scheme: 'bearer', value: 'k1' } });
    expect(first!.tools.map(({ name }) => name)).toEqual([tool]);
    expect(second).toMatchObject({ turn: 1, kind: 'turn' });
    expect(server!.left('default')).toBe(0);
  });

  it('fits a logical call to the tool that is offered', async () => {
    await start({ script: [{ tool: 'write', args: { path: 'notes/a.txt', content: `it's ${UNICODE}` } }] });
    const { name, args } = called(dataOf(await (await ask('write')).text()));
    expect(name).toBe(tool);
    expect(JSON.stringify(args)).toContain('/workspace/notes/a.txt');
    expect(JSON.stringify(args)).toContain(UNICODE);
    expect(server!.problems()).toEqual([]);
  });

  it('tells of a call that the client cannot make', async () => {
    await start({ script: [{ tool: 'mcp__none', args: {} }] });
    expect(said(dataOf(await (await ask('call')).text()))).toContain('mcp__none');
    expect(server!.problems()).toEqual([expect.stringContaining(`offers no tool mcp__none, only ${tool}`)]);
  });

  it('refuses as often as it is told, then goes on', async () => {
    await start({
      script: [{ fail: 529, times: 2 }, { fail: 429, retry_after: 7 }, { fail: 429, limit_resets_in: 3600 }, { say: 'at last' }],
    });
    expect((await ask('x')).status).toBe(529);
    expect((await ask('x')).status).toBe(529);
    expect((await ask('x')).headers.get('retry-after')).toBe('7');
    const limited = await ask('x');
    expect(limited.status).toBe(429);
    expect(JSON.stringify([await limited.json(), ...limited.headers])).toMatch(/resets?_at|-reset"|retryDelay/);
    expect(said(dataOf(await (await ask('x')).text()))).toBe('at last');
  });

  it('breaks its answers in each of the ways', async () => {
    await start({
      script: (['html', 'not_json', 'unfinished', 'cut', 'reset'] as const).map((garbage) => ({ garbage })),
    });
    expect((await ask('x')).headers.get('content-type')).toBe('text/html');
    const notJson = await (await ask('x')).text();
    expect(() => dataOf(notJson)).toThrow(SyntaxError);
    expect(await (await ask('x')).text()).not.toMatch(/message_stop|response\.completed|\[DONE\]|finishReason/);
    await expect(ask('x').then((response) => response.text())).rejects.toThrow();
    await expect(ask('x')).rejects.toThrow();
    expect(server!.left('default')).toBe(0);
  });

  it('hangs until the client leaves, and knows that it left', async () => {
    await start({ script: [{ hang: 'at_once' }, { hang: 'midway' }] });
    await expect(
      fetch(server!.url + path, { method: 'POST', body: JSON.stringify(body('x', tool)), signal: AbortSignal.timeout(200) }),
    ).rejects.toThrow();
    const midway = await ask('x');
    const reader = midway.body!.getReader();
    expect((await reader.read()).value!.length).toBeGreaterThan(0);
    await reader.cancel();
    await expect.poll(() => server!.requests().map(({ hungUp }) => hungUp())).toEqual([true, true]);
  });
});

describe('scripts', () => {
  const ask = (prompt: string, headers: Record<string, string> = {}, model = 'm', tools: Shape[] = [{ name: 'Write' }]) =>
    post('/v1/messages', { model, messages: [{ role: 'user', content: prompt }], tools }, headers).then(
      async (response) => at(await response.json(), 'content', 0, 'text') as string,
    );

  it('are chosen by prompt, key or model, and play side by side', async () => {
    await start({
      scripts: {
        one: { turns: [{ say: 'one 0' }, { say: 'one 1' }] },
        two: { turns: [{ say: 'two 0' }] },
        three: { turns: [{ say: 'three 0' }] },
      },
    });
    expect(await ask('Do it. SCRIPT:one.')).toBe('one 0');
    expect(await ask('Do it', { 'x-api-key': 'two' })).toBe('two 0');
    expect(await ask('Do it', {}, 'three')).toBe('three 0');
    expect(await ask('Earlier SCRIPT:two, now SCRIPT:one')).toBe('one 1');
    expect(await ask('SCRIPT:one')).toBe('The script has ended.');
    expect(server!.requests('one').map(({ kind }) => kind)).toEqual(['turn', 'turn', 'beyond']);
  });

  it('give no turn to what the client asks for itself', async () => {
    await start({ script: [{ say: 'the turn' }] });
    expect(await ask('Name this session', {}, 'm', [])).toBe('Scripted');
    expect(await ask('Go')).toBe('the turn');
    expect(server!.sides()).toHaveLength(1);
  });

  it('can be set and added to while they play', async () => {
    await start({ script: [] });
    server!.add('default', { say: 'added' });
    expect(await ask('x')).toBe('added');
    server!.set('default', [{ say: 'anew' }]);
    expect(server!.requests()).toEqual([]);
    expect(await ask('x')).toBe('anew');
    expect(await server!.untilRequests('default', 1)).toHaveLength(1);
    await expect(server!.untilRequests('default', 2, 50)).rejects.toThrow(/1 of 2/);
    expect(() => server!.set('bad', [{ fail: 418 } as never])).toThrow();
  });

  it('streams 8 MiB without holding the client up', async () => {
    await start({ script: [{ say: '0123456789abcdef', repeat: 512 * 1024 }] });
    const { path, body, said } = SPOKEN['openai-responses']!;
    const response = await post(path, body('x', 'exec_command'));
    expect(said(dataOf(await response.text()))).toHaveLength(8 * 1024 * 1024);
  });
});
