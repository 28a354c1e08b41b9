import { LIMITS } from '@fairlead/shared/contract/limits';
import { claudeRequest, claudeTitle, claudeToolKind } from './claude-tools.ts';
import type { AgentDialect, AgentTalk, Conversation } from './dialect.ts';
import { amountOf, countOf, isObject, objectsOf, textOf, type Message } from './untrusted.ts';

/** Hooks wait for a person, and the step has its own limit. In seconds. */
const HOOK_SECONDS = 7 * 24 * 3600;
const HOOK = 'fairlead';

const resultText = (content: unknown): string =>
  typeof content === 'string'
    ? content
    : objectsOf(content)
        .map((part) => textOf(part['text']))
        .join('\n');

const exitCode = (content: string): number | null => {
  const found = /^Exit code (\d+)\b/.exec(content);
  return found ? Number(found[1]) : null;
};

const HOUR_MS = 3_600_000;

/** `Claude AI usage limit reached|1764370800`: the seconds at which it resets. */
const resetsIn = (said: string, now: number): number | undefined => {
  const found = /limit reached\|(\d{9,11})/i.exec(said);
  if (found) return Math.max(1000, Number(found[1]) * 1000 - now);
  return undefined;
};

const USAGE_LIMIT = /usage limit|limit reached|rate.?limit|hit your limit/i;

/** One conversation in stream-json with the control protocol: every tool passes a hook of ours before it runs. */
class ClaudeConversation {
  readonly #talk: AgentTalk;
  #result: Conversation | undefined;
  /** Milliseconds until a limit resets, as a `rate_limit_event` told. */
  #resets: number | undefined;
  #turns = 0;
  #requests = 0;

  constructor(talk: AgentTalk) {
    this.#talk = talk;
  }

  async run(now: () => number): Promise<Conversation> {
    const talk = this.#talk;
    await this.#ask({ subtype: 'initialize', hooks: { PreToolUse: [{ matcher: '', hookCallbackIds: [HOOK], timeout: HOOK_SECONDS }] } });
    await talk.send({ type: 'user', message: { role: 'user', content: [{ type: 'text', text: talk.prompt }] } });
    for await (const line of talk.lines) {
      if ('text' in line) talk.activity({ kind: 'output', from: 'stdout', text: line.text });
      else this.#take(line.json, now);
      if (this.#result) break;
    }
    return this.#result ?? { ended: talk.signal.aborted ? 'interrupted' : 'cut' };
  }

  #ask(request: object): Promise<void> {
    return this.#talk.send({ type: 'control_request', request_id: `fairlead-${(this.#requests += 1)}`, request });
  }

  #take(message: unknown, now: () => number): void {
    if (!isObject(message)) return this.#talk.activity({ kind: 'raw', value: message });
    switch (message['type']) {
      case 'system':
        return this.#system(message);
      case 'assistant':
        return this.#assistant(message);
      case 'user':
        return this.#user(message);
      case 'control_request':
        return void this.#control(message);
      case 'control_response':
      case 'control_cancel_request':
      case 'keep_alive':
        return;
      case 'rate_limit_event':
        return this.#rateLimit(message, now);
      case 'result':
        return this.#end(message, now);
      default:
        return this.#talk.activity({ kind: 'raw', value: message });
    }
  }

  #system(message: Message): void {
    if (message['subtype'] === 'init') {
      this.#talk.session(textOf(message['session_id']));
      return this.#talk.usage({ model: textOf(message['model']) || null });
    }
    if (message['subtype'] === 'api_retry' || message['subtype'] === 'api_error') {
      const why = textOf(message['error']) || 'the model did not answer';
      this.#talk.activity({ kind: 'notice', level: 'warning', code: 'model_retry', text: why });
      return this.#retries(message);
    }
    this.#talk.activity({ kind: 'raw', value: message });
  }

  #assistant({ message, error }: Message): void {
    if (!isObject(message)) return;
    const synthetic = message['model'] === '<synthetic>';
    if (!synthetic) this.#turns += 1;
    for (const block of objectsOf(message['content'])) {
      if (block['type'] === 'text') this.#talk.activity({ kind: 'text', text: textOf(block['text']) });
      else if (block['type'] === 'thinking') this.#talk.activity({ kind: 'thought', text: textOf(block['thinking']) });
      else if (block['type'] === 'tool_use') this.#toolUse(block);
      else this.#talk.activity({ kind: 'raw', value: block });
    }
    if (typeof error === 'string')
      this.#talk.activity({ kind: 'notice', level: 'error', code: error, text: 'The model answered with an error' });
    if (!synthetic) this.#talk.usage({ turns: this.#turns });
  }

  #toolUse(block: Message): void {
    const tool = textOf(block['name']);
    const input = block['input'];
    if (tool === 'TodoWrite' && isObject(input)) {
      const entries = objectsOf(input['todos']).map((todo) => ({ text: textOf(todo['content']), status: planStatus(todo['status']) }));
      return this.#talk.activity({ kind: 'plan', entries });
    }
    const call_id = textOf(block['id']);
    this.#talk.activity({ kind: 'tool_call', call_id, tool, tool_kind: claudeToolKind(tool), title: claudeTitle(tool, input), input });
  }

  #user({ message, tool_use_result: told }: Message): void {
    if (!isObject(message)) return;
    for (const block of objectsOf(message['content'])) {
      if (block['type'] !== 'tool_result') continue;
      const content = resultText(block['content']);
      const call_id = textOf(block['tool_use_id']);
      const failed = block['is_error'] === true;
      const denied = failed && /hook error|denied|doesn't want to/i.test(content.slice(0, 200));
      if (isObject(told) && (told['type'] === 'create' || told['type'] === 'update') && typeof told['filePath'] === 'string')
        this.#talk.activity({
          kind: 'file_change',
          path: told['filePath'],
          change: told['type'] === 'create' ? 'added' : 'modified',
          call_id,
        });
      this.#talk.activity({
        kind: 'tool_result',
        call_id,
        status: denied ? 'denied' : failed ? 'failed' : 'completed',
        text: content,
        exit_code: exitCode(content),
      });
    }
  }

  async #control({ request_id, request }: Message): Promise<void> {
    if (!isObject(request)) return;
    const answer = (response: object): Promise<void> =>
      this.#talk.send({ type: 'control_response', response: { subtype: 'success', request_id, response } });
    if (request['subtype'] === 'hook_callback') {
      const input = isObject(request['input']) ? request['input'] : {};
      const decision = await this.#talk.permission(claudeRequest(textOf(input['tool_name']), input['tool_input']));
      return answer({
        hookSpecificOutput: {
          hookEventName: 'PreToolUse',
          permissionDecision: decision.allowed ? 'allow' : 'deny',
          permissionDecisionReason: decision.allowed ? decision.rule : `${decision.rule}: ${decision.reason}`,
        },
      });
    }
    // The hook has settled every call already. What comes here all the same is refused: nothing runs that no rule has seen.
    if (request['subtype'] === 'can_use_tool') return answer({ behavior: 'deny', message: 'Not allowed' });
    return this.#talk.send({
      type: 'control_response',
      response: { subtype: 'error', request_id, error: `Unknown request ${textOf(request['subtype'])}` },
    });
  }

  /**
   * It tries ten times, over minutes, also where that is in vain: a credential that was refused twice (the first time it may have fetched
   * a fresh one), and a model that told when to come back. A wait that long early on is the model's own word, for its own begin at half a second.
   */
  #retries(message: Message): void {
    const status = amountOf(message['error_status']);
    const tried = amountOf(message['attempt']) ?? 0;
    const wait = amountOf(message['retry_delay_ms']) ?? 0;
    if ((status === 401 || status === 403) && tried >= 2)
      this.#giveUp({ ended: 'failed', code: 'agent_not_signed_in', message: 'The model refused the credential' });
    if (status === 429 && tried <= 3 && wait >= LIMITS.agent_model_wait.value)
      this.#giveUp({ ended: 'quota', code: 'quota_reached', message: 'The model asks to come back later', resets_in_ms: wait });
  }

  #giveUp(result: Conversation): void {
    this.#result ??= result;
    void this.#ask({ subtype: 'interrupt' });
  }

  #rateLimit(message: Message, now: () => number): void {
    const info = isObject(message['rate_limit_info']) ? message['rate_limit_info'] : {};
    const at = amountOf(info['resetsAt']);
    if (info['status'] === 'rejected' && at !== null) this.#resets = Math.max(1000, at * 1000 - now());
    this.#talk.activity({ kind: 'raw', value: message });
  }

  #end(message: Message, now: () => number): void {
    const usage = isObject(message['usage']) ? message['usage'] : {};
    const cached = countOf(usage['cache_read_input_tokens']) ?? 0;
    const made = countOf(usage['cache_creation_input_tokens']) ?? 0;
    this.#talk.usage({
      input_tokens: (countOf(usage['input_tokens']) ?? 0) + cached + made,
      output_tokens: countOf(usage['output_tokens']),
      cached_tokens: cached,
      cost_usd: amountOf(message['total_cost_usd']),
      turns: countOf(message['num_turns']) ?? this.#turns,
    });
    this.#result ??= this.#conclusion(message, now());
  }

  #conclusion(message: Message, now: number): Conversation {
    const said = textOf(message['result']) || textOf(objectsOf(message['errors'])[0]?.['message']);
    const subtype = textOf(message['subtype']);
    if (this.#talk.signal.aborted) return { ended: 'interrupted' };
    if (message['is_error'] !== true && subtype === 'success') {
      return message['stop_reason'] === 'refusal' ? { ended: 'refused', message: said } : { ended: 'success' };
    }
    if (subtype === 'error_max_turns') return { ended: 'failed', code: 'budget_turns', message: 'The limit of turns was reached' };
    const status = amountOf(message['api_error_status']);
    const resets = this.#resets ?? resetsIn(said, now);
    if (resets !== undefined || status === 429 || USAGE_LIMIT.test(said))
      return {
        ended: 'quota',
        code: 'quota_reached',
        message: said,
        ...(resets !== undefined && { resets_in_ms: Math.min(resets, 7 * 24 * HOUR_MS) }),
      };
    if (status === 401 || status === 403) return { ended: 'failed', code: 'agent_not_signed_in', message: said };
    return { ended: 'failed', code: status === null ? 'agent_failed' : 'model_error', message: said || subtype };
  }
}

const planStatus = (status: unknown): 'pending' | 'in_progress' | 'completed' =>
  status === 'completed' || status === 'in_progress' ? status : 'pending';

/** `claude` in its structured mode. Settings, MCP servers and hooks of the machine are left out: only what the profile says holds. */
export const claudeDialect = (now: () => number): AgentDialect => ({
  ends: true,
  argv: ({ model, resume, turns }) => [
    '-p',
    '--input-format',
    'stream-json',
    '--output-format',
    'stream-json',
    '--verbose',
    '--setting-sources',
    '',
    '--strict-mcp-config',
    ...(model === undefined ? [] : ['--model', model]),
    ...(resume === undefined ? [] : ['--resume', resume]),
    ...(turns === undefined ? [] : ['--max-turns', String(turns)]),
  ],
  env: ({ gateway }) => ({
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_AUTOUPDATER: '1',
    ...(gateway !== undefined && { ANTHROPIC_BASE_URL: gateway, ANTHROPIC_API_KEY: 'held-by-fairlead' }),
  }),
  files: () => ({}),
  converse: (talk) => new ClaudeConversation(talk).run(now),
});
