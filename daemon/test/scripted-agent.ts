import type { ActivityItem, Usage } from '@fairlead/shared/contract/activity';
import { createLineReader } from '../src/executors/agents/agent-lines.ts';
import type { AgentDialect, AgentLaunch, Conversation } from '../src/executors/agents/dialect.ts';
import type { AgentRequest, PermissionAnswer } from '../src/executors/executor.ts';

export type Said = Readonly<Record<string, unknown>>;

/** The program's side of a conversation, as a test plays it. */
export interface ScriptedProgram {
  /** The next message that was sent to it. @throws Error when none comes within 2 s */
  hear(): Promise<Said>;
  /** Prints JSON lines. */
  say(...messages: readonly object[]): void;
  /** Prints bytes as they are. */
  print(bytes: string): void;
  /** Closes its output, as its end does. */
  end(): void;
  /** Tells the attempt to stop, as the runner does. */
  stop(): void;
}

/** All that a dialect told in one conversation. */
export interface Played {
  readonly end: Conversation;
  readonly items: readonly ActivityItem[];
  readonly asked: readonly AgentRequest[];
  readonly sent: readonly Said[];
  readonly sessions: readonly string[];
  readonly usage: Partial<Usage>;
}

export interface Playing {
  readonly launch?: Partial<AgentLaunch>;
  readonly prompt?: string;
  readonly decide?: (request: AgentRequest) => PermissionAnswer | Promise<PermissionAnswer>;
}

export const ALLOWED: PermissionAnswer = { allowed: true, rule: 'test.allow' };
export const DENIED: PermissionAnswer = { allowed: false, rule: 'test.deny', reason: 'Not today' };

export const LAUNCH: AgentLaunch = {
  model: undefined,
  resume: undefined,
  places: { workspace: '/workspace', out: '/out', home: '/home/fairlead', pathOf: (path) => path },
  gateway: 'http://127.0.0.1:3129',
  turns: undefined,
};

/** Lets a dialect talk with a program that a test plays. Its end is that of the script, unless it ended before. */
export const playAgent = async (
  dialect: AgentDialect,
  script: (program: ScriptedProgram) => Promise<void>,
  how: Playing = {},
): Promise<Played> => {
  const reader = createLineReader();
  const stopping = new AbortController();
  const sent: Said[] = [];
  const items: ActivityItem[] = [];
  const asked: AgentRequest[] = [];
  const sessions: string[] = [];
  let usage: Partial<Usage> = {};
  let heard = 0;
  let wake = (): void => undefined;
  const print = (bytes: string): void => reader.push(Buffer.from(bytes));
  const program: ScriptedProgram = {
    async hear() {
      const late = AbortSignal.timeout(2000);
      while (heard >= sent.length) {
        await new Promise<void>((resolve, reject) => {
          wake = resolve;
          late.addEventListener('abort', () => reject(new Error(`nothing came after ${JSON.stringify(sent.at(-1))}`)), { once: true });
        });
      }
      return sent[heard++]!;
    },
    say: (...messages) => print(messages.map((message) => `${JSON.stringify(message)}\n`).join('')),
    print,
    end: () => reader.end(),
    stop: () => stopping.abort('cancel'),
  };
  const conversation = dialect.converse({
    ...LAUNCH,
    ...how.launch,
    prompt: how.prompt ?? 'Please do it.',
    // What is sent goes through text, as it does on a pipe.
    send: async (message) => {
      sent.push(JSON.parse(JSON.stringify(message)) as Said);
      wake();
    },
    endInput: () => undefined,
    lines: reader.lines,
    activity: (item) => void items.push(item),
    permission: async (request) => {
      asked.push(request);
      return how.decide ? how.decide(request) : ALLOWED;
    },
    session: (id) => void sessions.push(id),
    usage: (told) => void (usage = { ...usage, ...told }),
    signal: stopping.signal,
  });
  const [end] = await Promise.all([conversation, script(program).finally(() => reader.end())]);
  return { end, items, asked, sent, sessions, usage };
};
