import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerResponse } from 'node:http';
import type { Conversation } from './conversation.ts';
import { inFull, saying, type Answer, type Failure, type Turn } from './script.ts';
import { chooseCall } from './tool-choice.ts';
import type { FittedAnswer, Wire, WireEvent } from './wire/wire.ts';

/** Where an answer goes. */
export interface Stage {
  readonly wire: Wire;
  readonly conversation: Conversation;
  readonly response: ServerResponse;
  /** Aborted when the client hangs up or the server closes. */
  readonly signal: AbortSignal;
  readonly cwd: string;
  /** Told of what the script asks for and the client cannot do. */
  readonly problem: (text: string) => void;
}

const SSE = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' };

const framed = ({ name, data }: WireEvent): string =>
  `${name === undefined ? '' : `event: ${name}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;

/** Writes, and waits while the client reads slower than we write. */
const send = async ({ response, signal }: Stage, text: string): Promise<void> => {
  if (signal.aborted || response.write(text)) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      response.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    response.once('drain', done);
    signal.addEventListener('abort', done, { once: true });
  });
};

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  ms <= 0 ? Promise.resolve() : sleep(ms, undefined, { signal }).catch(() => undefined);

/** Settles when the client has hung up or the server closes. */
const untilGone = ({ signal }: Stage): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

const fitted = (given: Answer, stage: Stage): FittedAnswer => {
  const full = inFull(given);
  const calls = [];
  for (const call of full.calls) {
    const chosen = chooseCall(call, stage.conversation.tools, stage.cwd);
    if (typeof chosen !== 'string') calls.push(chosen);
    else {
      stage.problem(chosen);
      return { ...saying(`The script cannot go on: ${chosen}`), calls: [] };
    }
  }
  return { ...full, calls };
};

const json = ({ response }: Stage, status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): void => {
  const text = JSON.stringify(body);
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)), ...headers })
    .end(text);
};

/** Answers with a turn of the script. Settles when nothing more will be written. */
const answer = async (given: Answer, stage: Stage): Promise<void> => {
  const { wire, conversation, response, signal } = stage;
  const full = fitted(given, stage);
  if (!conversation.stream) return json(stage, 200, wire.whole(full, conversation));
  response.writeHead(200, SSE);
  for (const event of wire.events(full, conversation)) {
    await pause(full.slow, signal);
    if (signal.aborted) return;
    await send(stage, framed(event));
  }
  response.end();
};

const refuse = (given: Failure, stage: Stage): void => {
  const { headers, body } = stage.wire.refusal(given, Date.now() / 1000);
  json(stage, given.fail, body, { ...headers, ...(given.retry_after !== undefined && { 'retry-after': String(given.retry_after) }) });
};

/** The events of some text without the last `less` of them. */
const beginning = ({ wire, conversation }: Stage, less: number): string => {
  const events = [...wire.events({ ...saying('This answer will not be whole.'), calls: [] }, conversation)];
  return events.slice(0, -less).map(framed).join('');
};

const spoil = async (kind: 'html' | 'not_json' | 'cut' | 'unfinished' | 'reset', stage: Stage): Promise<void> => {
  const { response } = stage;
  switch (kind) {
    case 'html':
      response
        .writeHead(200, { 'content-type': 'text/html' })
        .end('<!doctype html><title>Welcome</title><p>Please sign in to the network.');
      return;
    case 'not_json':
      response.writeHead(200, SSE).end('event: message_start\ndata: {"type": "message_start", "mess\n\ndata: \u0000\u0001 not json\n\n');
      return;
    case 'cut':
      response.writeHead(200, SSE);
      await send(stage, beginning(stage, 2).slice(0, -7));
      // What was written must reach the client before the reset does.
      await pause(50, stage.signal);
      response.socket?.resetAndDestroy();
      return;
    case 'unfinished':
      response.writeHead(200, SSE).end(beginning(stage, 2));
      return;
    case 'reset':
      response.socket?.resetAndDestroy();
  }
};

const stall = async (kind: 'at_once' | 'midway', stage: Stage): Promise<void> => {
  if (kind === 'midway') {
    stage.response.writeHead(200, SSE);
    await send(stage, beginning(stage, 2));
  }
  await untilGone(stage);
};

/** Plays one turn. Settles when nothing more will be written. */
export const play = async (turn: Turn, stage: Stage): Promise<void> => {
  if ('fail' in turn) return refuse(turn, stage);
  if ('garbage' in turn) return spoil(turn.garbage, stage);
  if ('hang' in turn) return stall(turn.hang, stage);
  return answer(turn, stage);
};
