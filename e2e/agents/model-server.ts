import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { objectOf, type Conversation, type Json } from './conversation.ts';
import { play } from './playing.ts';
import { credentialOf, DEFAULT_SCRIPT, scriptFor, type ModelRequest } from './recorded.ts';
import { script as scriptSchema, turn as turnSchema, unrolled, type ScriptInput, type Turn, type TurnInput } from './script.ts';
import { anthropicMessages } from './wire/anthropic-messages.ts';
import { gemini } from './wire/gemini.ts';
import { openaiChat } from './wire/openai-chat.ts';
import { openaiResponses } from './wire/openai-responses.ts';

const WIRES = [anthropicMessages, openaiResponses, openaiChat, gemini] as const;

export interface ModelServerOptions {
  /** Turns of the script called `default`, which is played where a request names no other. */
  readonly script?: readonly TurnInput[];
  /** Further scripts by name. */
  readonly scripts?: Readonly<Record<string, ScriptInput>>;
  /** 0, or nothing, for a free one. */
  readonly port?: number;
  /** Told of each request for a turn when it has been read. */
  readonly tell?: (request: ModelRequest) => void;
}

/** A request that is not for a turn of a model, such as the list of models. */
export interface OtherRequest {
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

/** A scripted model on loopback that speaks the APIs of all agents. */
export interface ModelServer {
  /** `http://127.0.0.1:PORT`, without a path. */
  readonly url: string;
  readonly port: number;
  /** Sets a script, or sets it anew: its turns begin again and its requests are forgotten. @throws ZodError when it is no script */
  readonly set: (id: string, script: ScriptInput | readonly TurnInput[]) => void;
  /** Puts turns at the end of a script that may be playing already. */
  readonly add: (id: string, ...turns: readonly TurnInput[]) => void;
  /** How many turns of a script were not asked for yet. */
  readonly left: (id: string) => number;
  /** Requests for turns of the model, of one script or of all, in order. Side questions are not among them; see `sides`. */
  readonly requests: (id?: string) => readonly ModelRequest[];
  /** What clients asked the model for themselves, such as a title. */
  readonly sides: () => readonly ModelRequest[];
  readonly others: () => readonly OtherRequest[];
  /** What scripts asked for and clients could not do, one sentence each. A test should find this empty. */
  readonly problems: () => readonly string[];
  /** Waits until a script has had that many requests. @throws Error after `timeoutMs` */
  readonly untilRequests: (id: string, count: number, timeoutMs?: number) => Promise<readonly ModelRequest[]>;
  /** Ends every answer that is under way and settles when the port is free. */
  readonly close: () => Promise<void>;
}

interface Playing {
  turns: Turn[];
  next: number;
  cwd: string;
}

const BODY_BYTES = 64 * 1024 * 1024;

const bodyOf = async (request: IncomingMessage): Promise<Json> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size > BODY_BYTES) throw new Error('the body is too large');
  }
  return size === 0 ? {} : objectOf(JSON.parse(Buffer.concat(chunks).toString()));
};

const asScript = (given: ScriptInput | readonly TurnInput[]): ScriptInput => ('turns' in given ? given : { turns: [...given] });

/** What a side question is told: JSON that the known ones accept, or a few words. */
const sideTurn = ({ wantsJson }: Conversation): Turn =>
  turnSchema.parse({
    say: wantsJson ? '{"reasoning":"scripted","next_speaker":"user","model_choice":"flash","title":"Scripted"}' : 'Scripted',
  });

const BEYOND = turnSchema.parse({ say: 'The script has ended.' });

const MODELS = ['scripted'];

/** Paths that clients ask for besides turns, with answers that content them. */
const otherAnswer = (method: string, path: string): Json | undefined => {
  if (method === 'POST' && path.endsWith('/count_tokens')) return { input_tokens: 10 };
  if (method === 'POST' && path.endsWith(':countTokens')) return { totalTokens: 10 };
  if (method === 'GET' && path.endsWith('/models'))
    return { object: 'list', data: MODELS.map((id) => ({ id, object: 'model' })), models: [] };
  return method === 'HEAD' || (method === 'GET' && path === '/') ? {} : undefined;
};

const answerOther = (method: string, path: string, response: ServerResponse): OtherRequest => {
  const body = otherAnswer(method, path);
  const status = body === undefined ? 404 : 200;
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(
    method === 'HEAD' ? undefined : JSON.stringify(body ?? { error: { type: 'not_found_error', message: `nothing at ${method} ${path}` } }),
  );
  return { method, path, status };
};

/** The scripts that are set and what was asked of them. */
const createScripts = () => {
  const scripts = new Map<string, Playing>();
  let requests: ModelRequest[] = [];
  const waiting = new Set<() => void>();

  const set: ModelServer['set'] = (id, given) => {
    const parsed = scriptSchema.parse(asScript(given));
    scripts.set(id, { turns: unrolled(parsed), next: 0, cwd: parsed.cwd });
    requests = requests.filter(({ script }) => script !== id);
  };
  const add: ModelServer['add'] = (id, ...turns) => {
    const playing = scripts.get(id);
    if (playing === undefined) throw new Error(`there is no script ${id}`);
    playing.turns.push(...unrolled(scriptSchema.parse({ turns })));
  };
  /** Takes the next turn of the script that the request is for. */
  const take = (read: Omit<ModelRequest, 'script' | 'turn' | 'kind'>): { request: ModelRequest; turn: Turn; cwd: string } => {
    const script = scriptFor(new Set(scripts.keys()), read, read.headers, read.credential);
    const playing = script === undefined ? undefined : scripts.get(script);
    const side = read.tools.length === 0 || read.wantsJson;
    const at = side ? undefined : playing?.next;
    const turn = at === undefined ? undefined : playing?.turns[at];
    if (turn !== undefined) playing!.next += 1;
    const kind = side ? 'side' : turn === undefined ? 'beyond' : 'turn';
    const request: ModelRequest = { ...read, script, kind, ...(turn !== undefined && { turn: at! }) };
    requests.push(request);
    for (const wake of waiting) wake();
    return { request, turn: turn ?? (side ? sideTurn(read) : BEYOND), cwd: playing?.cwd ?? '/workspace' };
  };
  const ofScript = (id?: string) => requests.filter(({ kind, script }) => kind !== 'side' && (id === undefined || script === id));
  const untilRequests: ModelServer['untilRequests'] = async (id, count, timeoutMs = 30_000) => {
    const end = Date.now() + timeoutMs;
    while (ofScript(id).length < count) {
      const left = end - Date.now();
      if (left <= 0) throw new Error(`the script ${id} had ${ofScript(id).length} of ${count} requests after ${timeoutMs} ms`);
      await new Promise<void>((resolve) => {
        const wake = () => {
          clearTimeout(timer);
          waiting.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, left);
        waiting.add(wake);
      });
    }
    return ofScript(id);
  };
  return {
    set,
    add,
    take,
    untilRequests,
    requests: ofScript,
    left: (id: string) => Math.max(0, (scripts.get(id)?.turns.length ?? 0) - (scripts.get(id)?.next ?? 0)),
    sides: () => requests.filter(({ kind }) => kind === 'side'),
  };
};

/**
 * Starts a scripted model on loopback. Which script a request plays is told in `recorded.ts`; each request takes the next turn of it, so
 * that what a client retries, resumes or begins anew goes on where the script stands, and several scripts can be played at once.
 */
export const createModelServer = async (options: ModelServerOptions = {}): Promise<ModelServer> => {
  const scripts = createScripts();
  const others: OtherRequest[] = [];
  const problems: string[] = [];
  const closing = new AbortController();
  if (options.script !== undefined) scripts.set(DEFAULT_SCRIPT, options.script);
  for (const [id, script] of Object.entries(options.scripts ?? {})) scripts.set(id, script);

  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname, searchParams } = new URL(incoming.url ?? '/', 'http://localhost');
    const body = await bodyOf(incoming);
    const wire = incoming.method === 'POST' ? WIRES.find(({ matches }) => matches(pathname)) : undefined;
    if (wire === undefined) {
      others.push(answerOther(incoming.method ?? '', pathname, response));
      return;
    }
    const left = new AbortController();
    response.once('close', () => !response.writableFinished && left.abort());
    const conversation = wire.read(body, pathname);
    const credential = credentialOf(incoming.headers, searchParams);
    const { request, turn, cwd } = scripts.take({
      ...conversation,
      at: Date.now(),
      wire: wire.name,
      path: pathname,
      headers: incoming.headers,
      body,
      hungUp: () => left.signal.aborted,
      ...(credential !== undefined && { credential }),
    });
    options.tell?.(request);
    const problem = (text: string) => problems.push(`${request.script ?? 'no script'}, turn ${request.turn ?? 'none'}: ${text}`);
    await play(turn, { wire, conversation, response, signal: AbortSignal.any([left.signal, closing.signal]), cwd, problem });
  };

  const server = createServer((incoming, response) => {
    serve(incoming, response).catch((error: unknown) => {
      problems.push(`${incoming.method} ${incoming.url}: ${String(error)}`);
      if (response.headersSent) response.destroy();
      else response.writeHead(500, { 'content-type': 'application/json' }).end(JSON.stringify({ error: { message: String(error) } }));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    set: scripts.set,
    add: scripts.add,
    left: scripts.left,
    requests: scripts.requests,
    sides: scripts.sides,
    untilRequests: scripts.untilRequests,
    others: () => others,
    problems: () => problems,
    close: () =>
      new Promise((resolve) => {
        closing.abort();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
