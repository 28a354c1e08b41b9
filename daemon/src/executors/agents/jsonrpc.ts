import type { AgentTalk } from './dialect.ts';
import { isObject, type Message } from './untrusted.ts';

/** An answer that says no, in the protocol's own form. */
export class RpcError extends Error {
  override readonly name: string = 'RpcError';
  readonly code: number;
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/** "Internal error": says nothing of its kind. */
const NO_CODE = -32_603;

/** There will be no answer, because the other side has ended. */
export class RpcEnded extends RpcError {
  override readonly name = 'RpcEnded';

  constructor(message: string) {
    super(NO_CODE, message);
  }
}

export interface RpcPeer {
  /** Asks the other side. Rejects with `RpcError` when it says no, and with `RpcEnded` when it ends before it answers. */
  call(method: string, params: unknown): Promise<unknown>;
  notify(method: string, params: unknown): void;
  /** Settles when the other side has ended. */
  readonly closed: Promise<void>;
}

export interface RpcHandlers {
  /** Answers what the other side asks. @throws RpcError which is passed on */
  request(method: string, params: unknown): Promise<unknown>;
  notification(method: string, params: unknown): void;
  /** What is no message of the protocol. */
  stray(line: unknown): void;
}

const METHOD_NOT_FOUND = -32_601;

/** The refusal of a request that this side does not know. */
export const unknownMethod = (method: string): RpcError => new RpcError(METHOD_NOT_FOUND, `Method not found: ${method}`);

const errorOf = (error: unknown): RpcError => {
  const { code, message, data }: Message = isObject(error) ? error : {};
  return new RpcError(typeof code === 'number' ? code : NO_CODE, typeof message === 'string' ? message : 'An error without words', data);
};

/**
 * JSON-RPC over lines, in both directions, as codex and every ACP agent speak it. Unknown members are tolerated, because agents are
 * upgraded apart from us. @param version whether messages carry `"jsonrpc":"2.0"`; codex leaves it out
 */
export const createRpcPeer = (talk: Pick<AgentTalk, 'send' | 'lines'>, handlers: RpcHandlers, version: boolean): RpcPeer => {
  const waiting = new Map<number, { readonly resolve: (value: unknown) => void; readonly reject: (error: RpcError) => void }>();
  let next = 1;
  let over = false;
  const send = (message: object): void => void talk.send(version ? { jsonrpc: '2.0', ...message } : message);

  const answer = async (id: unknown, method: string, params: unknown): Promise<void> => {
    try {
      send({ id, result: (await handlers.request(method, params)) ?? null });
    } catch (error) {
      const { code, message } = error instanceof RpcError ? error : new RpcError(-32_603, 'Something went wrong on this side');
      send({ id, error: { code, message } });
    }
  };

  const take = (message: Message): void => {
    const { id, method } = message;
    if (typeof method === 'string') {
      if (id === undefined) handlers.notification(method, message['params']);
      else void answer(id, method, message['params']);
      return;
    }
    const asked = typeof id === 'number' ? waiting.get(id) : undefined;
    if (!asked) return handlers.stray(message);
    waiting.delete(id as number);
    if (message['error'] !== undefined && message['error'] !== null) asked.reject(errorOf(message['error']));
    else asked.resolve(message['result']);
  };

  const listen = async (): Promise<void> => {
    for await (const line of talk.lines) {
      if ('json' in line && isObject(line.json)) take(line.json);
      else handlers.stray('json' in line ? line.json : line.text);
    }
    over = true;
    for (const { reject } of waiting.values()) reject(new RpcEnded('The agent ended before it answered'));
    waiting.clear();
  };
  const closed = listen();

  return {
    call: (method, params) =>
      new Promise((resolve, reject) => {
        if (over) return reject(new RpcEnded('The agent has ended'));
        const id = next++;
        waiting.set(id, { resolve, reject });
        send({ id, method, params });
      }),
    notify: (method, params) => send({ method, params }),
    closed,
  };
};
