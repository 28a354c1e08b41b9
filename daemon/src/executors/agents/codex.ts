import { codexCall, codexCommandRequest, codexEditRequest, codexResult, codexThought } from './codex-tools.ts';
import { codexEnding, codexWindowReset } from './codex-ending.ts';
import { codexConfig } from './codex-config.ts';
import type { AgentDialect, AgentTalk, Conversation } from './dialect.ts';
import { createRpcPeer, unknownMethod, type RpcPeer } from './jsonrpc.ts';
import { startAnswer, startFailure } from './rpc-start.ts';
import { countOf, isObject, objectOf, objectsOf, textOf, type Message } from './untrusted.ts';

/** What is told in parts, and whole when it is done; or about the program and not about the work. */
const PASSED_OVER =
  /^(?:thread\/(?:started|status\/changed|settings\/updated|name\/updated|goal\/cleared|environment\/connected)|turn\/diff\/updated|item\/.*(?:[dD]elta|summaryPartAdded|patchUpdated|progress)|serverRequest\/resolved|account\/(?:updated|rateLimits\/updated)|skills\/changed|remoteControl\/status\/changed|mcpServer\/startupStatus\/updated|app\/list\/updated|rawResponse(?:Item)?\/completed)$/;

const PLAN_STATUS: Readonly<Record<string, 'in_progress' | 'completed'>> = { inProgress: 'in_progress', completed: 'completed' };

interface Tokens {
  readonly input: number;
  readonly output: number;
  readonly cached: number;
}

const tokensOf = (value: unknown): Tokens => {
  const told = objectOf(value);
  return {
    input: countOf(told['inputTokens']) ?? 0,
    output: countOf(told['outputTokens']) ?? 0,
    cached: countOf(told['cachedInputTokens']) ?? 0,
  };
};

/** Adds up what the threads of one attempt use. Codex sums a thread over all of its life, which a resumed one has had part of before. */
const createTokenCount = () => {
  const seen = new Map<string, Tokens>();
  let sum: Tokens = { input: 0, output: 0, cached: 0 };
  let turns = 0;
  return {
    add(thread: string, usage: Message) {
      const total = tokensOf(usage['total']);
      const last = tokensOf(usage['last']);
      const before = seen.get(thread) ?? {
        input: total.input - last.input,
        output: total.output - last.output,
        cached: total.cached - last.cached,
      };
      seen.set(thread, total);
      if (total.input === before.input && total.output === before.output) return;
      turns += 1;
      sum = {
        input: sum.input + total.input - before.input,
        output: sum.output + total.output - before.output,
        cached: sum.cached + total.cached - before.cached,
      };
    },
    usage: () => ({
      input_tokens: Math.max(0, sum.input),
      output_tokens: Math.max(0, sum.output),
      cached_tokens: Math.max(0, sum.cached),
      turns,
    }),
  };
};

/**
 * One conversation with `codex app-server`. The policy `untrusted` asks for every command and every edit, also for those that codex holds
 * for safe, such as `ls` and `cat`; its own sandbox is off, because it cannot be built inside of ours.
 */
class CodexConversation {
  readonly #talk: AgentTalk;
  readonly #now: () => number;
  readonly #peer: RpcPeer;
  readonly #tokens = createTokenCount();
  /** Edits that were announced, by the id of their item: the request for leave names nothing else. */
  readonly #edits = new Map<string, Message>();
  #thread = '';
  /** Whether the turn of this attempt has begun. */
  #working = false;
  /** When a limit that is used up is lifted. */
  #reset: number | undefined;
  #finish: (end: Conversation) => void = () => undefined;

  constructor(talk: AgentTalk, now: () => number) {
    this.#talk = talk;
    this.#now = now;
    this.#peer = createRpcPeer(
      talk,
      {
        request: (method, params) => this.#request(method, objectOf(params)),
        notification: (method, params) => this.#notification(method, objectOf(params)),
        stray: (line) =>
          talk.activity(typeof line === 'string' ? { kind: 'output', from: 'stdout', text: line } : { kind: 'raw', value: line }),
      },
      false,
    );
  }

  async run(): Promise<Conversation> {
    const { signal } = this.#talk;
    const ended = new Promise<Conversation>((resolve) => (this.#finish = resolve));
    void this.#peer.closed.then(() => this.#finish({ ended: signal.aborted ? 'interrupted' : 'cut' }));
    try {
      await this.#open();
    } catch (error) {
      return startFailure(error, signal);
    }
    const end = await ended;
    return signal.aborted ? { ended: 'interrupted' } : end;
  }

  async #open(): Promise<void> {
    const { model, resume, places, prompt, signal } = this.#talk;
    const ask = async (method: string, params: Message): Promise<Message> =>
      objectOf(await startAnswer(this.#peer.call(method, params), method, signal));
    await ask('initialize', { clientInfo: { name: 'fairlead', title: 'Fairlead', version: '1' }, capabilities: null });
    this.#peer.notify('initialized', undefined);
    const settings = {
      cwd: places.workspace,
      approvalPolicy: 'untrusted',
      approvalsReviewer: 'user',
      sandbox: 'danger-full-access',
      ...(model !== undefined && { model }),
    };
    const opened =
      resume === undefined
        ? await ask('thread/start', settings)
        : await ask('thread/resume', { threadId: resume, excludeTurns: true, ...settings });
    this.#thread = textOf(objectOf(opened['thread'])['id']);
    this.#talk.session(this.#thread);
    this.#talk.usage({ model: textOf(opened['model']) || null });
    await ask('turn/start', { threadId: this.#thread, input: [{ type: 'text', text: prompt, text_elements: [] }] });
  }

  #notification(method: string, params: Message): void {
    const talk = this.#talk;
    switch (method) {
      case 'turn/started':
        this.#working ||= params['threadId'] === this.#thread;
        return;
      case 'turn/completed':
        if (params['threadId'] === this.#thread) this.#finish(codexEnding(objectOf(params['turn']), this.#reset, this.#now()));
        return;
      case 'item/started':
        return this.#started(objectOf(params['item']));
      case 'item/completed':
        return this.#completed(objectOf(params['item']));
      case 'turn/plan/updated':
        return talk.activity({
          kind: 'plan',
          entries: objectsOf(params['plan']).map(({ step, status }) => ({
            text: textOf(step),
            status: PLAN_STATUS[textOf(status)] ?? 'pending',
          })),
        });
      case 'thread/tokenUsage/updated':
        // What is told of a resumed thread before its turn was used by an earlier attempt.
        if (!this.#working) return;
        this.#tokens.add(textOf(params['threadId']), objectOf(params['tokenUsage']));
        return talk.usage(this.#tokens.usage());
      case 'account/rateLimits/updated':
        this.#reset = codexWindowReset(objectOf(params['rateLimits'])) ?? this.#reset;
        return;
      case 'error':
        return this.#error(params);
      case 'warning':
      case 'guardianWarning':
        return talk.activity({ kind: 'notice', level: 'warning', code: 'agent_warning', text: textOf(params['message']) });
      case 'configWarning':
      case 'deprecationNotice':
        return talk.activity({
          kind: 'notice',
          level: 'info',
          code: 'agent_warning',
          text: [params['summary'], params['details']].map(textOf).filter(Boolean).join('\n'),
        });
      default:
        if (!PASSED_OVER.test(method)) talk.activity({ kind: 'raw', value: { method, params } });
    }
  }

  #error({ error, willRetry }: Message): void {
    const { message, additionalDetails } = objectOf(error);
    const text = [message, additionalDetails].map(textOf).filter(Boolean).join('\n');
    this.#talk.activity(
      willRetry === true
        ? { kind: 'notice', level: 'warning', code: 'model_retry', text }
        : { kind: 'notice', level: 'error', code: 'model_error', text },
    );
  }

  #started(item: Message): void {
    if (item['type'] === 'fileChange') this.#edits.set(textOf(item['id']), item);
    const call = codexCall(item);
    if (call) this.#talk.activity(call);
  }

  #completed(item: Message): void {
    this.#edits.delete(textOf(item['id']));
    switch (item['type']) {
      case 'userMessage':
        return;
      case 'agentMessage':
      case 'plan':
        return this.#talk.activity({ kind: 'text', text: textOf(item['text']) });
      case 'reasoning': {
        const text = codexThought(item);
        if (text !== '') this.#talk.activity({ kind: 'thought', text });
        return;
      }
      case 'contextCompaction':
        return this.#talk.activity({
          kind: 'notice',
          level: 'info',
          code: 'context_compacted',
          text: 'What was said before was shortened',
        });
      default: {
        const results = codexResult(item);
        if (results.length === 0) return this.#talk.activity({ kind: 'raw', value: item });
        for (const result of results) this.#talk.activity(result);
      }
    }
  }

  async #request(method: string, params: Message): Promise<unknown> {
    switch (method) {
      case 'item/commandExecution/requestApproval':
        return this.#decide(codexCommandRequest(params));
      case 'item/fileChange/requestApproval': {
        const item = this.#edits.get(textOf(params['itemId']));
        // Nobody can judge an edit that was never shown.
        return isObject(item) ? this.#decide(codexEditRequest(item, params)) : { decision: 'decline' };
      }
      // It may do what its commands and edits are let do, and nothing beyond it for good.
      case 'item/permissions/requestApproval':
        return { permissions: {}, scope: 'turn' };
      // Nobody sits in front of it.
      case 'item/tool/requestUserInput':
        return { answers: {} };
      case 'mcpServer/elicitation/request':
        return { action: 'decline', content: null, _meta: null };
      default:
        this.#talk.activity({ kind: 'raw', value: { method, params } });
        throw unknownMethod(method);
    }
  }

  async #decide(request: ReturnType<typeof codexCommandRequest>): Promise<{ readonly decision: 'accept' | 'decline' | 'cancel' }> {
    const { allowed } = await this.#talk.permission(request);
    if (this.#talk.signal.aborted) return { decision: 'cancel' };
    return { decision: allowed ? 'accept' : 'decline' };
  }
}

/** `codex app-server`. Its config is ours alone: that of the repository is left out, because it may start programs. */
export const codexDialect = (now: () => number): AgentDialect => ({
  ends: true,
  argv: ({ places }) => ['-c', `projects={${JSON.stringify(places.workspace)}={trust_level="untrusted"}}`, 'app-server'],
  env: ({ gateway }) => (gateway === undefined ? {} : { FAIRLEAD_MODEL_KEY: 'held-by-fairlead' }),
  files: ({ model, gateway }) => ({ '.codex/config.toml': codexConfig(model, gateway) }),
  converse: (talk) => new CodexConversation(talk, now).run(),
});
