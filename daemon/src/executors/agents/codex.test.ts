import { describe, expect, it } from 'vitest';
import { ALLOWED, DENIED, LAUNCH, playAgent, type Playing, type Said, type ScriptedProgram } from '../../../test/scripted-agent.ts';
import { codexDialect } from './codex.ts';

const NOW = Date.UTC(2026, 10, 28, 16, 0, 0);
const THREAD = '01a222ec-3bc6-7871-b558-571b61474b7f';
const TURN = '01a222ec-3c2d-7141-99f2-99b443e5905d';
const codex = codexDialect(() => NOW);

const about = (params: object): object => ({ threadId: THREAD, turnId: TURN, ...params });
const item = (when: 'started' | 'completed', one: object) => ({ method: `item/${when}`, params: about({ item: one }) });
const tokens = (input: number, output: number, cached: number) => ({ inputTokens: input, outputTokens: output, cachedInputTokens: cached });
const used = (total: object, last: object) => ({ method: 'thread/tokenUsage/updated', params: about({ tokenUsage: { total, last } }) });
const completed = (status: string, error: object | null = null) => ({
  method: 'turn/completed',
  params: { threadId: THREAD, turn: { id: TURN, items: [], status, error } },
});
const command = (status: string, more: object = {}) => ({
  type: 'commandExecution',
  id: 'call_1',
  command: "/bin/sh -c 'printf one; exit 3'",
  cwd: '/workspace',
  status,
  commandActions: [{ type: 'unknown', command: 'printf one; exit 3' }],
  aggregatedOutput: null,
  exitCode: null,
  ...more,
});
const edit = (status: string) => ({
  type: 'fileChange',
  id: 'call_2',
  changes: [
    { path: '/workspace/a.txt', kind: { type: 'update', move_path: null }, diff: '@@ -1 +1 @@\n-old\n+new\n' },
    { path: '/workspace/b.txt', kind: { type: 'add' }, diff: 'one\ntwo\n' },
  ],
  status,
});

/** Answers what codex is asked first, as the real one does. @returns what the thread was opened with */
const open = async (program: ScriptedProgram): Promise<Said> => {
  const hello = await program.hear();
  program.say({ id: hello['id'], result: { userAgent: 'fairlead/0.169.0', codexHome: '/home/fairlead/.codex' } });
  expect(await program.hear()).toEqual({ method: 'initialized' });
  const thread = await program.hear();
  program.say({ id: thread['id'], result: { thread: { id: THREAD }, model: 'gpt-5.1-codex', approvalPolicy: 'untrusted' } });
  const turn = await program.hear();
  expect(turn).toMatchObject({ method: 'turn/start', params: { threadId: THREAD } });
  program.say(
    { id: turn['id'], result: { turn: { id: TURN, status: 'inProgress' } } },
    { method: 'turn/started', params: { threadId: THREAD, turn: { id: TURN } } },
  );
  return thread;
};

const play = (rest: (program: ScriptedProgram) => Promise<void> | void, how?: Playing) =>
  playAgent(
    codex,
    async (program) => {
      await open(program);
      await rest(program);
    },
    how,
  );

describe('a conversation with codex', () => {
  it('asks for everything, and tells what is said, thought and planned', async () => {
    const played = await playAgent(codex, async (program) => {
      const thread = await open(program);
      expect(thread).toMatchObject({
        method: 'thread/start',
        params: { cwd: '/workspace', approvalPolicy: 'untrusted', approvalsReviewer: 'user', sandbox: 'danger-full-access' },
      });
      program.say(
        item('completed', { type: 'userMessage', id: 'u', content: [] }),
        item('completed', { type: 'reasoning', id: 'r', summary: ['First I look.'], content: [] }),
        {
          method: 'turn/plan/updated',
          params: about({
            plan: [
              { step: 'One', status: 'inProgress' },
              { step: 'Two', status: 'pending' },
            ],
          }),
        },
        { method: 'item/agentMessage/delta', params: about({ itemId: 'm', delta: 'Do' }) },
        item('completed', { type: 'agentMessage', id: 'm', text: 'Done 🧪.' }),
        used(tokens(1200, 34, 1000), tokens(1200, 34, 1000)),
        completed('completed'),
      );
    });
    expect(played.end).toEqual({ ended: 'success' });
    expect(played.sessions).toEqual([THREAD]);
    expect(played.usage).toEqual({ model: 'gpt-5.1-codex', input_tokens: 1200, output_tokens: 34, cached_tokens: 1000, turns: 1 });
    expect(played.items).toEqual([
      { kind: 'thought', text: 'First I look.' },
      {
        kind: 'plan',
        entries: [
          { text: 'One', status: 'in_progress' },
          { text: 'Two', status: 'pending' },
        ],
      },
      { kind: 'text', text: 'Done 🧪.' },
    ]);
  });

  it.each([
    [ALLOWED, 'accept', command('failed', { aggregatedOutput: 'one', exitCode: 3 }), { status: 'failed', text: 'one', exit_code: 3 }],
    [DENIED, 'decline', command('declined'), { status: 'denied', text: '', exit_code: null }],
  ] as const)('lets a command run only as it was decided (%o)', async (answer, decision, after, result) => {
    const played = await play(
      async (program) => {
        const { command: text, cwd } = command('inProgress');
        program.say(item('started', command('inProgress')), {
          id: 0,
          method: 'item/commandExecution/requestApproval',
          params: about({ kind: 'command', itemId: 'call_1', command: text, cwd }),
        });
        expect(await program.hear()).toEqual({ id: 0, result: { decision } });
        program.say(item('completed', after), completed('completed'));
      },
      { decide: () => answer },
    );
    expect(played.asked).toMatchObject([{ tool: 'shell', kind: 'execute', command: "/bin/sh -c 'printf one; exit 3'", cwd: '/workspace' }]);
    expect(played.items).toEqual([
      expect.objectContaining({ kind: 'tool_call', call_id: 'call_1', tool_kind: 'execute', title: 'shell: printf one; exit 3' }),
      { kind: 'tool_result', call_id: 'call_1', ...result },
    ]);
  });

  it('shows an edit as a difference, with every path that it touches', async () => {
    const played = await play(async (program) => {
      program.say(item('started', edit('inProgress')), {
        id: 7,
        method: 'item/fileChange/requestApproval',
        params: about({ itemId: 'call_2', reason: null, grantRoot: null }),
      });
      expect(await program.hear()).toEqual({ id: 7, result: { decision: 'accept' } });
      program.say(item('completed', edit('completed')), completed('completed'));
    });
    expect(played.asked).toMatchObject([
      {
        tool: 'apply_patch',
        kind: 'edit',
        paths: ['/workspace/a.txt', '/workspace/b.txt'],
        diff: '--- /workspace/a.txt\n+++ /workspace/a.txt\n@@ -1 +1 @@\n-old\n+new\n\n+++ /workspace/b.txt\n+one\n+two',
      },
    ]);
    expect(played.items.filter(({ kind }) => kind === 'file_change')).toEqual([
      { kind: 'file_change', path: '/workspace/a.txt', change: 'modified', call_id: 'call_2' },
      { kind: 'file_change', path: '/workspace/b.txt', change: 'added', call_id: 'call_2' },
    ]);
  });

  it('calls a patch that deletes or moves by what it does', async () => {
    const changes = (kind: object) => [{ path: '/workspace/a.txt', kind, diff: 'gone\n' }];
    const played = await play(async (program) => {
      for (const [id, kind] of [{ type: 'delete' }, { type: 'update', move_path: '/workspace/c.txt' }].entries()) {
        program.say(item('started', { type: 'fileChange', id: `c${id}`, changes: changes(kind), status: 'inProgress' }), {
          id,
          method: 'item/fileChange/requestApproval',
          params: about({ itemId: `c${id}` }),
        });
        await program.hear();
      }
      program.say(completed('completed'));
    });
    expect(played.asked).toMatchObject([
      { kind: 'delete', paths: ['/workspace/a.txt'] },
      { kind: 'move', paths: ['/workspace/a.txt', '/workspace/c.txt'] },
    ]);
  });

  it('grants nothing that nobody was shown, and nothing for longer than once', async () => {
    const played = await play(async (program) => {
      program.say(
        { id: 1, method: 'item/fileChange/requestApproval', params: about({ itemId: 'never announced' }) },
        { id: 2, method: 'item/permissions/requestApproval', params: about({ permissions: { network: { enabled: true } } }) },
        { id: 3, method: 'item/tool/requestUserInput', params: about({ questions: [] }) },
        { id: 4, method: 'mcpServer/elicitation/request', params: about({ mode: 'form' }) },
        { id: 5, method: 'execCommandApproval', params: { command: ['true'] } },
      );
      const answers = new Map<unknown, Said>();
      for (let left = 5; left > 0; left -= 1) {
        const answer = await program.hear();
        answers.set(answer['id'], answer);
      }
      expect(answers.get(1)!['result']).toEqual({ decision: 'decline' });
      expect(answers.get(2)!['result']).toEqual({ permissions: {}, scope: 'turn' });
      expect(answers.get(3)!['result']).toEqual({ answers: {} });
      expect(answers.get(4)!['result']).toMatchObject({ action: 'decline' });
      expect(answers.get(5)!['error']).toMatchObject({ code: -32_601 });
      program.say(completed('completed'));
    });
    expect(played.asked).toEqual([]);
  });

  it('asks for input to a running program as for a tool of its own', async () => {
    const played = await play(async (program) => {
      program.say({
        id: 1,
        method: 'item/commandExecution/requestApproval',
        params: about({ kind: 'writeStdin', itemId: 'x', command: 'ls' }),
      });
      await program.hear();
      program.say(completed('completed'));
    });
    expect(played.asked).toMatchObject([{ tool: 'write_stdin', kind: 'other' }]);
    expect(played.asked[0]).not.toHaveProperty('command');
  });

  it('does not run what was allowed after the attempt was stopped', async () => {
    const played = await play(
      async (program) => {
        program.say({
          id: 1,
          method: 'item/commandExecution/requestApproval',
          params: about({ kind: 'command', itemId: 'x', command: 'ls', cwd: '/workspace' }),
        });
        while ((await program.hear())['id'] !== 1);
        program.end();
      },
      { decide: () => new Promise((resolve) => setTimeout(() => resolve(ALLOWED), 20)) },
    );
    expect(played.sent.at(-1)).toEqual({ id: 1, result: { decision: 'accept' } });
    const stopped = await playAgent(
      codex,
      async (program) => {
        await open(program);
        program.say({
          id: 1,
          method: 'item/commandExecution/requestApproval',
          params: about({ kind: 'command', itemId: 'x', command: 'ls', cwd: '/workspace' }),
        });
        program.stop();
        expect(await program.hear()).toEqual({ id: 1, result: { decision: 'cancel' } });
        program.say(completed('interrupted'));
      },
      { decide: () => new Promise((resolve) => setTimeout(() => resolve(ALLOWED), 20)) },
    );
    expect(stopped.end).toEqual({ ended: 'interrupted' });
  });

  it('goes on with a thread, and counts only what this attempt uses', async () => {
    const played = await playAgent(
      codex,
      async (program) => {
        const hello = await program.hear();
        program.say({ id: hello['id'], result: {} });
        await program.hear();
        const thread = await program.hear();
        expect(thread).toMatchObject({
          method: 'thread/resume',
          params: { threadId: THREAD, approvalPolicy: 'untrusted', excludeTurns: true },
        });
        program.say({ id: thread['id'], result: { thread: { id: THREAD }, model: 'm' } }, used(tokens(500, 50, 0), tokens(100, 10, 0)));
        const turn = await program.hear();
        program.say(
          { method: 'turn/started', params: { threadId: THREAD, turn: { id: TURN } } },
          { id: turn['id'], result: { turn: { id: TURN } } },
          used(tokens(600, 70, 90), tokens(100, 20, 90)),
          used(tokens(600, 70, 90), tokens(100, 20, 90)),
          used(tokens(650, 75, 90), tokens(50, 5, 0)),
          completed('completed'),
        );
      },
      { launch: { resume: THREAD } },
    );
    expect(played.usage).toMatchObject({ input_tokens: 150, output_tokens: 25, cached_tokens: 90, turns: 2 });
  });

  it('keeps what it does not know, and lines that are no messages', async () => {
    const played = await play((program) => {
      program.print('thread panicked at src/main.rs\n[1,2]\n');
      program.say(
        { method: 'thread/invented', params: { a: 1 } },
        item('completed', { type: 'invented', id: 'x' }),
        { method: 'warning', params: { threadId: null, message: 'Careful' } },
        { method: 'error', params: about({ error: { message: 'Reconnecting... 1/2', additionalDetails: 'status 500' }, willRetry: true }) },
        { id: 99, result: {} },
        completed('completed'),
      );
    });
    expect(played.items).toEqual([
      { kind: 'output', from: 'stdout', text: 'thread panicked at src/main.rs' },
      { kind: 'raw', value: [1, 2] },
      { kind: 'raw', value: { method: 'thread/invented', params: { a: 1 } } },
      { kind: 'raw', value: { type: 'invented', id: 'x' } },
      { kind: 'notice', level: 'warning', code: 'agent_warning', text: 'Careful' },
      { kind: 'notice', level: 'warning', code: 'model_retry', text: 'Reconnecting... 1/2\nstatus 500' },
      { kind: 'raw', value: { id: 99, result: {} } },
    ]);
  });

  it('is not ended by the turn of another thread', async () => {
    const played = await play((program) => {
      program.say(
        { method: 'turn/completed', params: { threadId: 'a helper', turn: { status: 'failed', error: { message: 'no' } } } },
        item('completed', { type: 'agentMessage', id: 'm', text: 'x'.repeat(2_000_000) }),
        completed('completed'),
      );
    });
    expect(played.end).toEqual({ ended: 'success' });
    expect(played.items).toEqual([{ kind: 'text', text: 'x'.repeat(2_000_000) }]);
  });
});

describe('the end of a turn', () => {
  const limit = 'You’ve hit your usage limit. Visit https://chatgpt.com/settings/usage or try again at ';
  const at = (hour: number, minute: number, days = 0): number => {
    const then = new Date(NOW);
    then.setDate(then.getDate() + days);
    then.setHours(hour, minute + 1, 0, 0);
    return then.getTime() - NOW;
  };
  const localHour = new Date(NOW).getHours();
  it.each([
    ['unexpected status 401', { httpConnectionFailed: { httpStatusCode: 401 } }, { ended: 'failed', code: 'agent_not_signed_in' }],
    ['no', 'unauthorized', { ended: 'failed', code: 'agent_not_signed_in' }],
    ['exceeded retry limit', { responseTooManyFailedAttempts: { httpStatusCode: 429 } }, { ended: 'quota', code: 'quota_reached' }],
    ['not offered', 'modelNotFound', { ended: 'failed', code: 'model_error' }],
    ['stream disconnected', 'other', { ended: 'failed', code: 'model_error' }],
    ['too long', 'contextWindowExceeded', { ended: 'failed', code: 'context_full' }],
    ['no', 'cyberPolicy', { ended: 'refused' }],
    ['odd', null, { ended: 'failed', code: 'model_error' }],
  ])('%s (%o)', async (message, codexErrorInfo, expected) => {
    const { end } = await play((program) => program.say(completed('failed', { message, codexErrorInfo })));
    expect(end).toMatchObject({ ...expected, message });
  });

  it('reads from its words when a limit is lifted', async () => {
    const later = `${(localHour + 1) % 12 || 12}:30 ${localHour + 1 >= 12 && localHour + 1 < 24 ? 'PM' : 'AM'}`;
    const [today, another] = await Promise.all(
      [`${limit}${later}.`, `${limit}Dec 1st, 2026 9:05 AM.`].map((message) =>
        play((program) => program.say(completed('failed', { message, codexErrorInfo: 'usageLimitExceeded' }))),
      ),
    );
    if (localHour < 23) expect(today!.end).toMatchObject({ ended: 'quota', resets_in_ms: at(localHour + 1, 30) });
    const december = new Date(2026, 11, 1, 9, 6, 0, 0).getTime() - NOW;
    expect(another!.end).toMatchObject({ ended: 'quota', resets_in_ms: december });
  });

  it('believes the window of the account more than words', async () => {
    const { end } = await play((program) =>
      program.say(
        {
          method: 'account/rateLimits/updated',
          params: {
            rateLimits: {
              primary: { usedPercent: 100, resetsAt: NOW / 1000 + 600 },
              secondary: { usedPercent: 20, resetsAt: NOW / 1000 + 9000 },
            },
          },
        },
        completed('failed', { message: `${limit}5:11 PM.`, codexErrorInfo: 'usageLimitExceeded' }),
      ),
    );
    expect(end).toMatchObject({ ended: 'quota', resets_in_ms: 600_000 });
  });

  it('is cut where the program ends before it', async () => {
    expect((await play((program) => program.end())).end).toEqual({ ended: 'cut' });
    expect((await playAgent(codex, async (program) => program.end())).end).toEqual({ ended: 'cut' });
    expect((await play((program) => program.say(completed('interrupted')))).end).toEqual({ ended: 'interrupted' });
  });

  it('is a start that failed where the thread cannot be opened', async () => {
    const { end } = await playAgent(codex, async (program) => {
      program.say({ id: (await program.hear())['id'], result: {} });
      await program.hear();
      program.say({ id: (await program.hear())['id'], error: { code: -32_600, message: 'no rollout found for thread' } });
    });
    expect(end).toEqual({ ended: 'failed', code: 'agent_did_not_start', message: 'no rollout found for thread' });
  });
});

describe('what codex is started with', () => {
  it('reaches its model through the gateway, without the credential', () => {
    const config = codex.files({ model: 'a "quoted" \u007f model', gateway: 'http://127.0.0.1:3129' })['.codex/config.toml']!;
    expect(config).toContain('model = "a \\"quoted\\" \\u007F model"');
    expect(config).toContain('base_url = "http://127.0.0.1:3129/v1"');
    expect(config).toContain('web_search = "disabled"');
    expect(codex.env(LAUNCH)).toEqual({ FAIRLEAD_MODEL_KEY: 'held-by-fairlead' });
  });

  it('has no provider of ours where it signs in by itself', () => {
    const config = codex.files({ model: undefined, gateway: undefined })['.codex/config.toml']!;
    expect(config).not.toMatch(/model_provider|^model =/m);
    expect(config).toContain('[analytics]\nenabled = false');
    expect(codex.env({ ...LAUNCH, gateway: undefined })).toEqual({});
  });

  it('does not trust the config of the repository', () => {
    expect(codex.argv(LAUNCH)).toEqual(['-c', 'projects={"/workspace"={trust_level="untrusted"}}', 'app-server']);
  });
});
