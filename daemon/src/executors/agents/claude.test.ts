import { describe, expect, it } from 'vitest';
import { ALLOWED, DENIED, LAUNCH, playAgent, type Playing, type ScriptedProgram } from '../../../test/scripted-agent.ts';
import { claudeDialect } from './claude.ts';

const NOW = Date.UTC(2026, 10, 28, 16, 0, 0);
const SESSION = '0f0e0d0c-1111-4222-8333-444455556666';
const claude = claudeDialect(() => NOW);

const assistant = (...content: object[]) => ({
  type: 'assistant',
  message: { model: 'claude-x', role: 'assistant', content },
  session_id: SESSION,
});
const result = (more: object = {}) => ({
  type: 'result',
  subtype: 'success',
  is_error: false,
  result: 'Done.',
  session_id: SESSION,
  num_turns: 2,
  total_cost_usd: 0.5,
  usage: { input_tokens: 100, cache_read_input_tokens: 1000, cache_creation_input_tokens: 50, output_tokens: 34 },
  ...more,
});
const toolResult = (content: unknown, more: object = {}, told?: unknown) => ({
  type: 'user',
  message: { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content, ...more }] },
  tool_use_result: told,
});

const play = (rest: (program: ScriptedProgram) => Promise<void> | void, how?: Playing) =>
  playAgent(
    claude,
    async (program) => {
      const hooks = await program.hear();
      expect(hooks).toMatchObject({
        type: 'control_request',
        request: { subtype: 'initialize', hooks: { PreToolUse: [{ matcher: '' }] } },
      });
      expect(await program.hear()).toEqual({ type: 'user', message: { role: 'user', content: [{ type: 'text', text: 'Please do it.' }] } });
      program.say({ type: 'control_response', response: { subtype: 'success', request_id: hooks['request_id'] } });
      program.say({ type: 'system', subtype: 'init', session_id: SESSION, model: 'claude-x' });
      await rest(program);
    },
    how,
  );

const hook = (id: string, tool_name: string, tool_input: object) => ({
  type: 'control_request',
  request_id: id,
  request: { subtype: 'hook_callback', callback_id: 'fairlead', input: { hook_event_name: 'PreToolUse', tool_name, tool_input } },
});

describe('a conversation with claude', () => {
  it('tells what is said, thought, planned and used', async () => {
    const played = await play((program) => {
      program.say(
        assistant({ type: 'thinking', thinking: 'Hm.' }, { type: 'text', text: 'Hello 🧪.' }),
        assistant({ type: 'tool_use', id: 'toolu_0', name: 'TodoWrite', input: { todos: [{ content: 'One', status: 'in_progress' }] } }),
        result(),
      );
    });
    expect(played.end).toEqual({ ended: 'success' });
    expect(played.sessions).toEqual([SESSION]);
    expect(played.usage).toEqual({
      model: 'claude-x',
      turns: 2,
      input_tokens: 1150,
      output_tokens: 34,
      cached_tokens: 1000,
      cost_usd: 0.5,
    });
    expect(played.items).toEqual([
      { kind: 'thought', text: 'Hm.' },
      { kind: 'text', text: 'Hello 🧪.' },
      { kind: 'plan', entries: [{ text: 'One', status: 'in_progress' }] },
    ]);
  });

  it.each([
    [ALLOWED, 'allow', 'Exit code 3\nonetwo', { status: 'failed', exit_code: 3 }],
    [DENIED, 'deny', 'PreToolUse:Bash hook error: test.deny: Not today', { status: 'denied', exit_code: null }],
  ] as const)('lets a command run only as it was decided (%o)', async (decided, permissionDecision, text, expected) => {
    const played = await play(
      async (program) => {
        program.say(assistant({ type: 'tool_use', id: 'toolu_1', name: 'Bash', input: { command: 'printf one; exit 3' } }));
        program.say(hook('r1', 'Bash', { command: 'printf one; exit 3' }));
        expect(await program.hear()).toMatchObject({
          type: 'control_response',
          response: {
            subtype: 'success',
            request_id: 'r1',
            response: { hookSpecificOutput: { hookEventName: 'PreToolUse', permissionDecision } },
          },
        });
        program.say(toolResult(text, { is_error: true }), result());
      },
      { decide: () => decided },
    );
    expect(played.asked).toEqual([
      { tool: 'Bash', kind: 'execute', input: { command: 'printf one; exit 3' }, command: 'printf one; exit 3' },
    ]);
    expect(played.items).toEqual([
      expect.objectContaining({
        kind: 'tool_call',
        call_id: 'toolu_1',
        tool: 'Bash',
        tool_kind: 'execute',
        title: 'Bash: printf one; exit 3',
      }),
      { kind: 'tool_result', call_id: 'toolu_1', text, ...expected },
    ]);
  });

  it('shows what an edit would change, and the file once it did', async () => {
    const input = { file_path: '/workspace/a.txt', old_string: 'old', new_string: 'new\nnewer' };
    const played = await play(async (program) => {
      program.say(hook('r1', 'Edit', input));
      await program.hear();
      program.say(toolResult([{ type: 'text', text: 'Edited.' }], {}, { type: 'update', filePath: '/workspace/a.txt' }), result());
    });
    expect(played.asked).toMatchObject([
      { kind: 'edit', paths: ['/workspace/a.txt'], diff: '--- /workspace/a.txt\n+++ /workspace/a.txt\n-old\n+new\n+newer' },
    ]);
    expect(played.items).toEqual([
      { kind: 'file_change', path: '/workspace/a.txt', change: 'modified', call_id: 'toolu_1' },
      { kind: 'tool_result', call_id: 'toolu_1', status: 'completed', text: 'Edited.', exit_code: null },
    ]);
  });

  it('refuses what passes its hook by, and what it does not know', async () => {
    await play(async (program) => {
      program.say({ type: 'control_request', request_id: 'a', request: { subtype: 'can_use_tool', tool_name: 'Bash', input: {} } });
      expect(await program.hear()).toMatchObject({ response: { request_id: 'a', response: { behavior: 'deny' } } });
      program.say({ type: 'control_request', request_id: 'b', request: { subtype: 'invented' } });
      expect(await program.hear()).toMatchObject({ response: { subtype: 'error', request_id: 'b' } });
      program.say(result());
    });
  });

  it('keeps what it does not know, and lines that are no messages', async () => {
    const played = await play((program) => {
      program.print('warning: something\n"text"\n');
      program.say(
        { type: 'invented', a: 1 },
        { type: 'system', subtype: 'api_retry', error: 'overloaded' },
        assistant({ type: 'text', text: 'x'.repeat(2_000_000) }),
        result(),
      );
    });
    expect(played.items).toEqual([
      { kind: 'output', from: 'stdout', text: 'warning: something' },
      { kind: 'raw', value: 'text' },
      { kind: 'raw', value: { type: 'invented', a: 1 } },
      { kind: 'notice', level: 'warning', code: 'model_retry', text: 'overloaded' },
      { kind: 'text', text: 'x'.repeat(2_000_000) },
    ]);
  });

  it('is interrupted where it was stopped, whatever it says then, and cut where it ends early', async () => {
    const stopped = await play((program) => {
      program.stop();
      program.say(result());
    });
    expect(stopped.end).toEqual({ ended: 'interrupted' });
    expect((await play((program) => (program.stop(), program.end()))).end).toEqual({ ended: 'interrupted' });
    expect((await play((program) => program.end())).end).toEqual({ ended: 'cut' });
  });
});

describe('the result of claude', () => {
  it.each([
    [
      { is_error: true, api_error_status: 401, result: 'Invalid API key' },
      { ended: 'failed', code: 'agent_not_signed_in' },
    ],
    [
      { is_error: true, api_error_status: 500, result: 'Overloaded' },
      { ended: 'failed', code: 'model_error' },
    ],
    [
      { is_error: true, result: 'odd' },
      { ended: 'failed', code: 'agent_failed' },
    ],
    [
      { subtype: 'error_max_turns', is_error: true },
      { ended: 'failed', code: 'budget_turns' },
    ],
    [
      { stop_reason: 'refusal', result: 'I will not.' },
      { ended: 'refused', message: 'I will not.' },
    ],
    [
      { is_error: true, api_error_status: 429, result: 'slow down' },
      { ended: 'quota', code: 'quota_reached' },
    ],
    [
      { is_error: true, result: `Claude AI usage limit reached|${NOW / 1000 + 3600}` },
      { ended: 'quota', resets_in_ms: 3_600_000 },
    ],
  ])('%o', async (more, expected) => {
    expect((await play((program) => program.say(result(more)))).end).toMatchObject(expected);
  });

  it('takes the time of a limit from the event that tells it', async () => {
    const { end } = await play((program) =>
      program.say(
        { type: 'rate_limit_event', rate_limit_info: { status: 'rejected', resetsAt: NOW / 1000 + 60 } },
        result({ is_error: true, api_error_status: 429, result: 'You have hit your limit' }),
      ),
    );
    expect(end).toMatchObject({ ended: 'quota', resets_in_ms: 60_000 });
  });
});

describe('what claude is started with', () => {
  const retry = (attempt: number, error_status: number, retry_delay_ms: number) => ({
    type: 'system',
    subtype: 'api_retry',
    attempt,
    max_retries: 10,
    retry_delay_ms,
    error_status,
    error: 'rate_limit',
  });

  it.each([
    ['a credential that was refused twice', [retry(1, 401, 500), retry(2, 401, 900)], { ended: 'failed', code: 'agent_not_signed_in' }],
    ['a wait that the model asks for', [retry(1, 429, 45_000)], { ended: 'quota', resets_in_ms: 45_000 }],
  ])('gives up where trying again is in vain: %s', async (_what, told, expected) => {
    const played = await play(async (program) => {
      program.say(...told);
      expect(await program.hear()).toMatchObject({ type: 'control_request', request: { subtype: 'interrupt' } });
      program.say(result({ subtype: 'error_during_execution', is_error: true }));
    });
    expect(played.end).toMatchObject(expected);
  });

  it.each([
    ['a credential that is fetched anew', [retry(1, 401, 500)]],
    ['its own patience after several tries', [retry(6, 429, 16_000)]],
    ['a model that is overloaded', [retry(3, 529, 30_000)]],
  ])('lets it try again: %s', async (_what, told) => {
    const played = await play((program) => {
      program.say(...told, result());
    });
    expect(played.end).toEqual({ ended: 'success' });
  });

  it('goes on with a session, and never sees the credential', () => {
    expect(claude.argv({ ...LAUNCH, resume: SESSION, model: 'm', turns: 3 })).toEqual(
      expect.arrayContaining(['--resume', SESSION, '--model', 'm', '--max-turns', '3', '--strict-mcp-config']),
    );
    expect(claude.env(LAUNCH)).toMatchObject({ ANTHROPIC_BASE_URL: LAUNCH.gateway, ANTHROPIC_API_KEY: 'held-by-fairlead' });
    expect(claude.env({ ...LAUNCH, gateway: undefined })).not.toHaveProperty('ANTHROPIC_API_KEY');
  });
});
