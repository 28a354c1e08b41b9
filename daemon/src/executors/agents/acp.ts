import { acpFailure, acpStop } from './acp-ending.ts';
import { createChunkJoiner, type ChunkJoiner } from './acp-text.ts';
import { acpCallItem, acpRequest, acpResultItems, mergeCall, type AcpCall } from './acp-tools.ts';
import { acpModel, createAcpUsage } from './acp-usage.ts';
import type { AgentDialect, AgentTalk, Conversation } from './dialect.ts';
import { createRpcPeer, RpcEnded, RpcError, unknownMethod, type RpcPeer } from './jsonrpc.ts';
import { NotStarted, startAnswer, startFailure } from './rpc-start.ts';
import { isObject, objectOf, objectsOf, textOf, type Message } from './untrusted.ts';

/** In what the agents differ that speak the protocol. */
export interface AcpAgent extends Pick<AgentDialect, 'argv' | 'env' | 'files' | 'hidden' | 'resuming'> {
  /** The mode of a session in which the agent asks before it acts; undefined where there is but one, or its arguments say it. */
  readonly mode?: string;
}

const VERSION = 1;
/** Told about the program and not about the work. */
const PASSED_OVER = new Set([
  'user_message_chunk',
  'available_commands_update',
  'current_mode_update',
  'config_option_update',
  'session_info_update',
]);
const PLAN_STATUS: Readonly<Record<string, 'in_progress' | 'completed'>> = { in_progress: 'in_progress', completed: 'completed' };

type Outcome = { readonly outcome: 'cancelled' } | { readonly outcome: 'selected'; readonly optionId: string };

const optionFor = (options: unknown, wanted: 'allow_once' | 'reject_once'): string | undefined => {
  const found = objectsOf(options).find(({ kind, optionId }) => kind === wanted && typeof optionId === 'string');
  return found === undefined ? undefined : textOf(found['optionId']);
};

/** One conversation in the Agent Client Protocol, version 1. The agent works with its own tools; we lend it neither files nor terminals. */
class AcpConversation {
  readonly #talk: AgentTalk;
  readonly #agent: AcpAgent;
  readonly #peer: RpcPeer;
  readonly #text: ChunkJoiner;
  readonly #usage = createAcpUsage();
  readonly #calls = new Map<string, AcpCall>();
  readonly #announced = new Set<string>();
  readonly #denied = new Set<string>();
  #session = '';
  /** False while a session is opened: what is told then is what it remembers. */
  #working = false;

  constructor(talk: AgentTalk, agent: AcpAgent) {
    this.#talk = talk;
    this.#agent = agent;
    this.#text = createChunkJoiner(talk);
    this.#peer = createRpcPeer(
      talk,
      {
        request: (method, params) => this.#request(method, objectOf(params)),
        notification: (method, params) => this.#notification(method, objectOf(params)),
        stray: (line) =>
          this.#tell(typeof line === 'string' ? { kind: 'output', from: 'stdout', text: line } : { kind: 'raw', value: line }),
      },
      true,
    );
  }

  async run(): Promise<Conversation> {
    const { signal, prompt } = this.#talk;
    try {
      await this.#open();
    } catch (error) {
      if (!signal.aborted && error instanceof RpcError && !(error instanceof RpcEnded)) {
        const failure = acpFailure(error);
        return failure.code === 'model_error' ? { ...failure, code: 'agent_did_not_start' } : failure;
      }
      return startFailure(error, signal);
    }
    if (signal.aborted) return { ended: 'interrupted' };
    this.#working = true;
    const end = await this.#prompt(prompt);
    this.#text.flush();
    return signal.aborted ? { ended: 'interrupted' } : end;
  }

  async #open(): Promise<void> {
    const { resume, places, signal } = this.#talk;
    const ask = async (method: string, params: Message): Promise<Message> =>
      objectOf(await startAnswer(this.#peer.call(method, params), method, signal));
    const hello = await ask('initialize', {
      protocolVersion: VERSION,
      clientInfo: { name: 'fairlead', title: 'Fairlead', version: '1' },
      clientCapabilities: { fs: { readTextFile: false, writeTextFile: false }, terminal: false },
    });
    if (hello['protocolVersion'] !== VERSION)
      throw new NotStarted(`It speaks version ${String(hello['protocolVersion'])} of the protocol, not ${VERSION}`);
    const can = objectOf(hello['agentCapabilities']);
    const place = { cwd: places.workspace, mcpServers: [] };
    let opened: Message;
    if (resume === undefined) {
      opened = await ask('session/new', place);
      this.#session = textOf(opened['sessionId']);
    } else {
      // Resuming goes on without telling again what was said, so it is preferred where an agent can do both.
      const method = isObject(objectOf(can['sessionCapabilities'])['resume']) ? 'session/resume' : 'session/load';
      if (method === 'session/load' && can['loadSession'] !== true) throw new NotStarted('It cannot go on with an earlier session');
      opened = await ask(method, { sessionId: resume, ...place });
      this.#session = resume;
    }
    this.#talk.session(this.#session);
    this.#talk.usage({ model: acpModel(opened) });
    const { mode } = this.#agent;
    if (mode !== undefined && objectOf(opened['modes'])['currentModeId'] !== mode)
      await ask('session/set_mode', { sessionId: this.#session, modeId: mode });
  }

  async #prompt(text: string): Promise<Conversation> {
    try {
      const result = objectOf(await this.#peer.call('session/prompt', { sessionId: this.#session, prompt: [{ type: 'text', text }] }));
      const told = this.#usage.result(result);
      if (told) this.#talk.usage(told);
      return acpStop(result);
    } catch (error) {
      if (error instanceof RpcError) return acpFailure(error);
      throw error;
    }
  }

  #tell(item: Parameters<AgentTalk['activity']>[0]): void {
    this.#text.flush();
    this.#talk.activity(item);
  }

  #notification(method: string, params: Message): void {
    if (method !== 'session/update') {
      if (this.#working) this.#tell({ kind: 'raw', value: { method, params } });
      return;
    }
    if (this.#working) this.#update(objectOf(params['update']));
  }

  #update(update: Message): void {
    const kind = textOf(update['sessionUpdate']);
    switch (kind) {
      case 'agent_message_chunk':
      case 'agent_thought_chunk': {
        const told = this.#usage.chunk(update);
        if (told) this.#talk.usage(told);
        const content = objectOf(update['content']);
        if (content['type'] !== 'text') return this.#tell({ kind: 'raw', value: update });
        return this.#text.add(kind === 'agent_message_chunk' ? 'text' : 'thought', textOf(content['text']));
      }
      case 'tool_call':
      case 'tool_call_update':
        return this.#called(update);
      case 'plan':
        return this.#tell({
          kind: 'plan',
          entries: objectsOf(update['entries']).map(({ content, status }) => ({
            text: textOf(content),
            status: PLAN_STATUS[textOf(status)] ?? 'pending',
          })),
        });
      case 'usage_update': {
        const told = this.#usage.update(update);
        if (told) this.#talk.usage(told);
        return;
      }
      default:
        if (!PASSED_OVER.has(kind)) this.#tell({ kind: 'raw', value: update });
    }
  }

  #known(part: Message): AcpCall {
    const call = mergeCall(this.#calls.get(textOf(part['toolCallId'])), part);
    this.#calls.set(call.id, call);
    return call;
  }

  #announce(call: AcpCall): void {
    if (this.#announced.has(call.id)) return;
    this.#announced.add(call.id);
    this.#tell(acpCallItem(call));
  }

  #called(update: Message): void {
    const call = this.#known(update);
    const { status } = call.told;
    // A call that is only being written tells neither what nor where.
    if (status !== 'pending') this.#announce(call);
    if (status !== 'completed' && status !== 'failed') return;
    // What was denied has been told already; some agents say nothing more of it, others that it failed.
    if (!this.#denied.has(call.id)) for (const item of acpResultItems(call)) this.#tell(item);
    this.#calls.delete(call.id);
  }

  async #request(method: string, params: Message): Promise<unknown> {
    if (method === 'session/request_permission') return { outcome: await this.#decide(params) };
    // Agents ask for what they were not offered, and do without it when they are told that it is not there.
    throw unknownMethod(method);
  }

  async #decide({ toolCall, options }: Message): Promise<Outcome> {
    const call = this.#known(objectOf(toolCall));
    this.#announce(call);
    const { signal } = this.#talk;
    if (signal.aborted) return { outcome: 'cancelled' };
    const answer = await this.#talk.permission(acpRequest(call));
    // Only for this once: what holds for longer is the policy's to say.
    const option = optionFor(options, answer.allowed ? 'allow_once' : 'reject_once');
    if (!answer.allowed) this.#deny(call, `${answer.rule}: ${answer.reason}`);
    else if (option === undefined) this.#deny(call, 'The agent offers no way to allow it for this once alone');
    if (signal.aborted || option === undefined) return { outcome: 'cancelled' };
    return { outcome: 'selected', optionId: option };
  }

  #deny(call: AcpCall, text: string): void {
    this.#denied.add(call.id);
    this.#tell({ kind: 'tool_result', call_id: call.id, status: 'denied', text, exit_code: null });
  }
}

/** Speaks the Agent Client Protocol with an agent. */
export const acpDialect = (agent: AcpAgent): AgentDialect => ({
  ends: true,
  argv: agent.argv,
  env: agent.env,
  files: agent.files,
  ...(agent.hidden && { hidden: agent.hidden }),
  ...(agent.resuming && { resuming: agent.resuming }),
  converse: (talk) => new AcpConversation(talk, agent).run(),
});
