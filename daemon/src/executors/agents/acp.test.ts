import { manualClock } from '@fairlead/shared/kit/clock';
import { describe, expect, it } from 'vitest';
import { ALLOWED, DENIED, LAUNCH, playAgent, type Playing, type Said, type ScriptedProgram } from '../../../test/scripted-agent.ts';
import { geminiDialect, opencodeDialect, ownDialect, qwenDialect } from './acp-agents.ts';
import { createChunkJoiner } from './acp-text.ts';
import { textDiff } from './text-diff.ts';

const SESSION = '6e4df9ba-5adf-475d-a0b1-f75a98b15a08';
const OPTIONS = [
  { optionId: 'proceed_always', name: 'Allow for this session', kind: 'allow_always' },
  { optionId: 'proceed_once', name: 'Allow', kind: 'allow_once' },
  { optionId: 'cancel', name: 'Reject', kind: 'reject_once' },
];
const OPENED = {
  sessionId: SESSION,
  modes: { currentModeId: 'auto' },
  models: { currentModelId: '$runtime|scripted', availableModels: [{ modelId: '$runtime|scripted', name: 'scripted' }] },
};

const update = (one: object) => ({ jsonrpc: '2.0', method: 'session/update', params: { sessionId: SESSION, update: one } });
const chunk = (text: string, more: object = {}) =>
  update({ sessionUpdate: 'agent_message_chunk', content: { type: 'text', text }, ...more });
const answer = (to: Said, result: object) => ({ jsonrpc: '2.0', id: to['id'], result });
const ask = (id: number, toolCall: object, options: readonly object[] = OPTIONS) => ({
  jsonrpc: '2.0',
  id,
  method: 'session/request_permission',
  params: { sessionId: SESSION, toolCall, options },
});

const hello = async (program: ScriptedProgram, capabilities: object = { loadSession: true }): Promise<void> => {
  const asked = await program.hear();
  expect(asked).toMatchObject({
    jsonrpc: '2.0',
    method: 'initialize',
    params: { protocolVersion: 1, clientCapabilities: { fs: { readTextFile: false, writeTextFile: false }, terminal: false } },
  });
  program.say(answer(asked, { protocolVersion: 1, agentCapabilities: capabilities }));
};

/** Opens a session. @returns the prompt, which is still to be answered */
const open = async (program: ScriptedProgram, opened: object = OPENED): Promise<Said> => {
  await hello(program);
  const asked = await program.hear();
  expect(asked).toMatchObject({ method: 'session/new', params: { cwd: '/workspace', mcpServers: [] } });
  program.say(answer(asked, opened));
  return program.hear();
};

const play = (rest: (program: ScriptedProgram, prompt: Said) => Promise<void> | void, how?: Playing) =>
  playAgent(ownDialect([]), async (program) => rest(program, await open(program)), how);

const DIFF = { type: 'diff', path: '/workspace/hello.txt', oldText: '', newText: 'hello\n' };
const WRITE = {
  toolCallId: 'write_file__fc96',
  status: 'pending',
  title: 'Writing to hello.txt',
  content: [DIFF],
  locations: [{ path: '/workspace/hello.txt' }],
  kind: 'edit',
};

describe('a conversation in the Agent Client Protocol', () => {
  it('puts chunks together, keeps their order, and tells the model and what was used', async () => {
    const played = await play((program, prompt) => {
      expect(prompt).toMatchObject({
        method: 'session/prompt',
        params: { sessionId: SESSION, prompt: [{ type: 'text', text: 'Please do it.' }] },
      });
      program.say(
        update({ sessionUpdate: 'agent_thought_chunk', content: { type: 'text', text: 'First ' } }),
        update({ sessionUpdate: 'agent_thought_chunk', content: { type: 'text', text: 'I look.' } }),
        chunk('Hello '),
        chunk('🧪'),
        update({
          sessionUpdate: 'plan',
          entries: [
            { content: 'One', priority: 'high', status: 'completed' },
            { content: 'Two', priority: 'low', status: 'pending' },
          ],
        }),
        chunk('.'),
        update({ sessionUpdate: 'usage_update', used: 1200, size: 128_000, cost: { amount: 0.25, currency: 'USD' } }),
        update({ sessionUpdate: 'available_commands_update', availableCommands: [] }),
        answer(prompt, {
          stopReason: 'end_turn',
          usage: { inputTokens: 200, outputTokens: 34, cachedReadTokens: 1000, totalTokens: 1234 },
        }),
      );
    });
    expect(played.end).toEqual({ ended: 'success' });
    expect(played.sessions).toEqual([SESSION]);
    expect(played.usage).toEqual({ model: 'scripted', input_tokens: 1200, output_tokens: 34, cached_tokens: 1000, cost_usd: 0.25 });
    expect(played.items).toEqual([
      { kind: 'thought', text: 'First I look.' },
      { kind: 'text', text: 'Hello 🧪' },
      {
        kind: 'plan',
        entries: [
          { text: 'One', status: 'completed' },
          { text: 'Two', status: 'pending' },
        ],
      },
      { kind: 'text', text: '.' },
    ]);
  });

  it('adds up what an agent tells of each answer, and reads what another tells at the end', async () => {
    const tokens = (inputTokens: number, outputTokens: number) => ({
      _meta: { usage: { inputTokens, outputTokens, cachedReadTokens: 5 } },
    });
    const each = await play((program, prompt) => {
      program.say(chunk('', tokens(10, 5)), chunk('', tokens(1200, 34)), answer(prompt, { stopReason: 'end_turn' }));
    });
    expect(each.usage).toMatchObject({ input_tokens: 1210, output_tokens: 39, cached_tokens: 10, turns: 2 });
    expect(each.items).toEqual([]);
    const all = await play((program, prompt) => {
      program.say(answer(prompt, { stopReason: 'end_turn', _meta: { quota: { token_count: { input_tokens: 1210, output_tokens: 39 } } } }));
    });
    expect(all.usage).toMatchObject({ input_tokens: 1210, output_tokens: 39 });
  });

  it.each([
    [ALLOWED, 'proceed_once'],
    [DENIED, 'cancel'],
  ] as const)('edits only as it was decided, and only for this once (%o)', async (decided, optionId) => {
    const played = await play(
      async (program, prompt) => {
        program.say(ask(0, WRITE));
        expect(await program.hear()).toEqual({ jsonrpc: '2.0', id: 0, result: { outcome: { outcome: 'selected', optionId } } });
        program.say(
          update({ ...WRITE, sessionUpdate: 'tool_call_update', status: decided.allowed ? 'completed' : 'failed' }),
          answer(prompt, { stopReason: 'end_turn' }),
        );
      },
      { decide: () => decided },
    );
    expect(played.asked).toEqual([
      {
        tool: 'write_file',
        kind: 'edit',
        input: { title: 'Writing to hello.txt', locations: [{ path: '/workspace/hello.txt' }] },
        paths: ['/workspace/hello.txt'],
        diff: '+++ /workspace/hello.txt\n+hello',
      },
    ]);
    expect(played.items).toEqual([
      expect.objectContaining({ kind: 'tool_call', tool: 'write_file', tool_kind: 'edit', call_id: 'write_file__fc96' }),
      ...(decided.allowed
        ? [
            { kind: 'file_change', path: '/workspace/hello.txt', change: 'added', call_id: 'write_file__fc96' },
            { kind: 'tool_result', call_id: 'write_file__fc96', status: 'completed', text: '', exit_code: null },
          ]
        : [{ kind: 'tool_result', call_id: 'write_file__fc96', status: 'denied', text: 'test.deny: Not today', exit_code: null }]),
    ]);
  });

  it('does not take leave for longer where there is none for once', async () => {
    const played = await play(async (program, prompt) => {
      program.say(ask(0, WRITE, [OPTIONS[0]!, OPTIONS[2]!]));
      expect((await program.hear())['result']).toEqual({ outcome: { outcome: 'cancelled' } });
      program.say(answer(prompt, { stopReason: 'end_turn' }));
    });
    expect(played.items.at(-1)).toMatchObject({ kind: 'tool_result', status: 'denied' });
  });

  it('takes the command from the input, else from the title', async () => {
    const played = await play(async (program, prompt) => {
      const run = (toolCallId: string, more: object) => ({
        toolCallId,
        status: 'pending',
        kind: 'execute',
        locations: [],
        content: [],
        ...more,
      });
      program.say(
        ask(
          0,
          run('a', { title: 'Tests', rawInput: { command: 'npm test', cwd: '/workspace/sub' }, _meta: { toolName: 'run_shell_command' } }),
        ),
      );
      await program.hear();
      program.say(
        ask(
          1,
          run('run_shell_command__b', {
            title: 'touch x\nrm y',
            content: [{ type: 'content', content: { type: 'text', text: '[in /workspace/lib] (Run)' } }],
          }),
        ),
      );
      await program.hear();
      program.say(ask(2, run('c', { title: 'bash', rawInput: { command: ['rm', '-rf', 'x'] } })));
      await program.hear();
      program.say(ask(3, { toolCallId: 'd', kind: 'fetch', title: 'Get https://example.org/a', status: 'pending' }));
      await program.hear();
      program.say(answer(prompt, { stopReason: 'end_turn' }));
    });
    expect(played.asked).toMatchObject([
      { tool: 'run_shell_command', kind: 'execute', command: 'npm test', cwd: '/workspace/sub' },
      { tool: 'run_shell_command', kind: 'execute', command: 'touch x\nrm y', cwd: '/workspace/lib' },
      { tool: 'bash', kind: 'execute', command: ['rm', '-rf', 'x'] },
      { kind: 'fetch', urls: ['https://example.org/a'] },
    ]);
  });

  it('follows a call from its first part to its output and exit status', async () => {
    const part = (sessionUpdate: string, more: object) => update({ sessionUpdate, toolCallId: 'call_b6', ...more });
    const played = await play((program, prompt) => {
      program.say(
        part('tool_call', { title: 'bash', kind: 'execute', status: 'pending', locations: [], rawInput: {} }),
        part('tool_call_update', { status: 'in_progress', title: 'printf one', rawInput: { command: 'printf one', cwd: '/workspace' } }),
        part('tool_call_update', {
          status: 'completed',
          content: [{ type: 'content', content: { type: 'text', text: 'Command: printf one\nOutput: one' } }],
          rawOutput: { output: 'one', metadata: { exit: 3 } },
        }),
        answer(prompt, { stopReason: 'end_turn' }),
      );
    });
    expect(played.items).toEqual([
      {
        kind: 'tool_call',
        call_id: 'call_b6',
        tool: 'bash',
        tool_kind: 'execute',
        title: 'bash: printf one',
        input: { command: 'printf one', cwd: '/workspace' },
      },
      { kind: 'tool_result', call_id: 'call_b6', status: 'completed', text: 'one', exit_code: 3 },
    ]);
  });

  it('keeps what it does not know, refuses what it does not offer, and lives with a huge text', async () => {
    const played = await play(async (program, prompt) => {
      program.print('DEBUG starting\n');
      program.say(
        update({ sessionUpdate: 'invented', a: 1 }),
        { jsonrpc: '2.0', method: 'agent/notify', params: { b: 2 } },
        { jsonrpc: '2.0', id: 5, method: 'fs/write_text_file', params: { path: '/workspace/x', content: '' } },
      );
      expect(await program.hear()).toMatchObject({ id: 5, error: { code: -32_601 } });
      program.say(chunk('y'.repeat(3_000_000)), answer(prompt, { stopReason: 'end_turn' }));
    });
    expect(played.items.slice(0, 3)).toEqual([
      { kind: 'output', from: 'stdout', text: 'DEBUG starting' },
      { kind: 'raw', value: { sessionUpdate: 'invented', a: 1 } },
      { kind: 'raw', value: { method: 'agent/notify', params: { b: 2 } } },
    ]);
    const texts = played.items.slice(3).map((one) => (one.kind === 'text' ? one.text : ''));
    expect(texts.join('')).toBe('y'.repeat(3_000_000));
  });

  it('answers an open request with cancelled when the attempt is stopped, and asks nobody any more', async () => {
    const played = await play(
      async (program, prompt) => {
        program.say(ask(0, WRITE));
        program.stop();
        expect((await program.hear())['result']).toEqual({ outcome: { outcome: 'cancelled' } });
        program.say(ask(1, { ...WRITE, toolCallId: 'second' }));
        expect((await program.hear())['result']).toEqual({ outcome: { outcome: 'cancelled' } });
        program.say(answer(prompt, { stopReason: 'cancelled' }));
      },
      { decide: () => new Promise((resolve) => setTimeout(() => resolve(ALLOWED), 20)) },
    );
    expect(played.end).toEqual({ ended: 'interrupted' });
    expect(played.asked.length).toBeLessThanOrEqual(1);
  });
});

describe('the end of a prompt', () => {
  it.each([
    [{ stopReason: 'end_turn' }, { ended: 'success' }],
    [{ stopReason: 'refusal' }, { ended: 'refused' }],
    [{ stopReason: 'cancelled' }, { ended: 'interrupted' }],
    [{ stopReason: 'max_tokens' }, { ended: 'failed', code: 'max_tokens' }],
    [{ stopReason: 'max_turn_requests' }, { ended: 'failed', code: 'budget_turns' }],
    [{}, { ended: 'failed', code: 'agent_failed' }],
  ])('%o', async (result, expected) => {
    expect((await play((program, prompt) => program.say(answer(prompt, result)))).end).toMatchObject(expected);
  });

  it.each([
    [
      { code: 401, message: '{"error":{"code":401,"status":"UNAUTHENTICATED"}}' },
      { ended: 'failed', code: 'agent_not_signed_in' },
    ],
    [
      { code: -32_000, message: 'Authentication required' },
      { ended: 'failed', code: 'agent_not_signed_in' },
    ],
    [
      { code: -32_603, message: 'Internal error: Incorrect API key provided', data: {} },
      { ended: 'failed', code: 'agent_not_signed_in' },
    ],
    [
      { code: 429, message: 'You have reached your usage limit.\nSuggested retry after 3600s.' },
      { ended: 'quota', resets_in_ms: 3_600_000 },
    ],
    [
      { code: -32_603, message: 'Rate limit reached, try again in 2 m' },
      { ended: 'quota', resets_in_ms: 120_000 },
    ],
    [
      { code: -32_603, message: 'Too many requests', data: { retry_after: 7 } },
      { ended: 'quota', resets_in_ms: 7000 },
    ],
    [
      { code: -32_603, message: 'Internal error: You have reached your usage limit.' },
      { ended: 'quota', code: 'quota_reached' },
    ],
    [
      { code: 500, message: 'Incomplete JSON segment at the end' },
      { ended: 'failed', code: 'model_error' },
    ],
    [
      { code: 'x', message: 7 },
      { ended: 'failed', code: 'model_error' },
    ],
  ])('%o', async (error, expected) => {
    const { end } = await play((program, prompt) => program.say({ jsonrpc: '2.0', id: prompt['id'], error }));
    expect(end).toMatchObject(expected);
  });

  it('is cut where the program ends before it', async () => {
    expect((await play((program) => program.end())).end).toEqual({ ended: 'cut' });
    expect((await playAgent(ownDialect([]), async (program) => program.end())).end).toEqual({ ended: 'cut' });
  });
});

describe('the start', () => {
  it.each([
    [{ protocolVersion: 2 }, 'agent_did_not_start'],
    [{}, 'agent_did_not_start'],
  ])('fails with another version of the protocol (%o)', async (result, code) => {
    const { end } = await playAgent(ownDialect([]), async (program) => program.say(answer(await program.hear(), result)));
    expect(end).toMatchObject({ ended: 'failed', code });
  });

  it.each([
    [{ code: -32_000, message: 'Authentication required' }, 'agent_not_signed_in'],
    [{ code: -32_603, message: 'Internal error' }, 'agent_did_not_start'],
  ])('fails where no session can be opened (%o)', async (error, code) => {
    const { end } = await playAgent(ownDialect([]), async (program) => {
      await hello(program);
      program.say({ jsonrpc: '2.0', id: (await program.hear())['id'], error });
    });
    expect(end).toMatchObject({ ended: 'failed', code });
  });

  it.each([
    [{ loadSession: true }, 'session/load'],
    [{ loadSession: true, sessionCapabilities: { resume: {} } }, 'session/resume'],
  ])('goes on with a session, without telling again what was said in it (%o)', async (capabilities, method) => {
    const played = await playAgent(
      ownDialect([]),
      async (program) => {
        await hello(program, capabilities);
        const asked = await program.hear();
        expect(asked).toMatchObject({ method, params: { sessionId: SESSION, cwd: '/workspace' } });
        program.say(chunk('Said before.'), answer(asked, {}));
        const prompt = await program.hear();
        expect(prompt).toMatchObject({ params: { sessionId: SESSION } });
        program.say(chunk('Said now.'), answer(prompt, { stopReason: 'end_turn' }));
      },
      { launch: { resume: SESSION } },
    );
    expect(played.items).toEqual([{ kind: 'text', text: 'Said now.' }]);
    expect(played.sessions).toEqual([SESSION]);
  });

  it('fails where the agent cannot go on with a session', async () => {
    const { end } = await playAgent(ownDialect([]), (program) => hello(program, {}), { launch: { resume: SESSION } });
    expect(end).toMatchObject({ ended: 'failed', code: 'agent_did_not_start' });
  });

  it.each([
    ['auto', true],
    ['default', false],
  ])('puts a session that begins in mode %s into the one that asks', async (currentModeId, set) => {
    const played = await playAgent(qwenDialect(), async (program) => {
      const next = await open(program, { ...OPENED, modes: { currentModeId } });
      if (!set) return program.say(answer(next, { stopReason: 'end_turn' }));
      expect(next).toMatchObject({ method: 'session/set_mode', params: { sessionId: SESSION, modeId: 'default' } });
      program.say(answer(next, {}));
      program.say(answer(await program.hear(), { stopReason: 'end_turn' }));
    });
    expect(played.end).toEqual({ ended: 'success' });
  });
});

describe('chunks of text', () => {
  it('are told at the end of a line once they wait or are long, and never in the middle of one', async () => {
    const clock = manualClock();
    const told: string[] = [];
    const joiner = createChunkJoiner({ activity: (item) => void told.push(item.kind === 'text' ? item.text : '') }, clock.after);
    joiner.add('text', 'a token: sk-');
    await clock.advance(5000);
    expect(told).toEqual([]);
    joiner.add('text', '123\nnext');
    await clock.advance(1000);
    expect(told).toEqual(['a token: sk-123\n']);
    joiner.add('text', `${'x'.repeat(9000)}\nrest`);
    expect(told.at(-1)).toBe(`next${'x'.repeat(9000)}\n`);
    joiner.flush();
    joiner.flush();
    expect(told.at(-1)).toBe('rest');
    expect(told).toHaveLength(3);
  });
});

describe('a difference', () => {
  const lines = (...some: string[]): string => some.map((line) => `${line}\n`).join('');
  it.each([
    [undefined, 'one\n', '+++ f\n+one'],
    ['one\n', undefined, '--- f\n-one'],
    ['', '', '--- f\n+++ f'],
    ['same\n', 'same\n', '--- f\n+++ f\n same'],
    [
      lines('1', '2', '3', '4', '5', '6', '7', '8', '9'),
      lines('1', '2', '3', '4', 'five', '6', '7', '8', '9'),
      '--- f\n+++ f\n@@ from line 2 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8',
    ],
    [lines('a', 'a'), lines('a', 'a', 'a'), '--- f\n+++ f\n a\n a\n+a'],
  ])('%#', (old, fresh, expected) => {
    expect(textDiff('f', old, fresh)).toBe(expected);
  });
});

describe('what agents are started with', () => {
  const files = (dialect: ReturnType<typeof geminiDialect>, given: object = {}) =>
    dialect.files({ model: undefined, gateway: LAUNCH.gateway, ...given });

  it('gemini is not to trust the repository, and asks for what reaches further than reading', () => {
    expect(geminiDialect().argv({ ...LAUNCH, model: 'gemini-2.5-pro' })).toEqual([
      '--acp',
      '--approval-mode',
      'default',
      '--admin-policy',
      '/home/fairlead/.gemini/fairlead.toml',
      '-m',
      'gemini-2.5-pro',
    ]);
    expect(geminiDialect().env(LAUNCH)).toMatchObject({ GEMINI_CLI_TRUST_WORKSPACE: 'false', GOOGLE_GEMINI_BASE_URL: LAUNCH.gateway });
    expect(files(geminiDialect())['.gemini/fairlead.toml']).toContain('"run_shell_command"');
    expect(files(geminiDialect(), { gateway: undefined })['.gemini/settings.json']).toContain('oauth-personal');
  });

  it('qwen asks for every command', () => {
    const settings = JSON.parse(files(qwenDialect())['.qwen/system-settings.json']!) as Said;
    expect(settings['permissions']).toEqual({ ask: ['run_shell_command', 'edit', 'write_file', 'web_fetch'] });
    expect(qwenDialect().env({ ...LAUNCH, model: 'm' })).toMatchObject({ OPENAI_BASE_URL: `${LAUNCH.gateway}/v1`, OPENAI_MODEL: 'm' });
  });

  it('opencode asks for all but reading, of the model behind the gateway', () => {
    const config = JSON.parse(files(opencodeDialect(), { model: 'm' })['.config/opencode/opencode.json']!) as Said;
    expect(config).toMatchObject({ model: 'fairlead/m', permission: { '*': 'ask', read: 'allow' }, share: 'disabled', autoupdate: false });
    expect(config['permission']).not.toHaveProperty('bash');
    const own = JSON.parse(files(opencodeDialect(), { model: 'a/b', gateway: undefined })['.config/opencode/opencode.json']!) as Said;
    expect(own).toMatchObject({ model: 'a/b' });
    expect(own).not.toHaveProperty('provider');
  });

  it('no environment holds a credential', () => {
    for (const dialect of [geminiDialect(), qwenDialect(), opencodeDialect(), ownDialect(['acp'])]) {
      const keys = Object.entries(dialect.env(LAUNCH)).filter(([name]) => /KEY|TOKEN|SECRET/.test(name));
      expect(keys.map(([, value]) => value).every((value) => value === 'held-by-fairlead')).toBe(true);
    }
    expect(ownDialect(['acp', '--x']).argv(LAUNCH)).toEqual(['acp', '--x']);
  });
});
