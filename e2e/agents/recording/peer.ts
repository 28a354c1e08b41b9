import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Json } from '../conversation.ts';
import { objectOf } from '../conversation.ts';

/** One line of a conversation with an agent, or how it ended. */
export interface Line {
  /** `in` is what was written to the agent, `out` what it wrote; `err` its stderr; `end` its exit; `note` what was seen beside. */
  readonly dir: 'in' | 'out' | 'err' | 'end' | 'note';
  readonly line: string;
}

/** An agent's process that speaks lines of JSON, and all that was said. */
export interface Peer {
  readonly lines: readonly Line[];
  readonly child: ChildProcess;
  readonly send: (message: Json) => void;
  /** Puts what was seen beside the conversation among the lines. */
  readonly note: (text: string) => void;
  /** Every message of the agent goes here too; a message that it answers is not looked at again. */
  readonly onMessage: (handler: (message: Json) => void) => void;
  /** Waits for a message, from the first that no one has waited for yet. @throws Error when the agent ends or after `timeoutMs` */
  readonly until: (what: string, matches: (message: Json) => boolean, timeoutMs?: number) => Promise<Json>;
  /** The exit code or signal; sends TERM and then KILL to one that stays. */
  readonly end: (timeoutMs?: number) => Promise<string>;
  readonly ended: Promise<string>;
}

/** Follows the lines of a started agent. */
export const peerOf = (child: ChildProcess): Peer => {
  const lines: Line[] = [];
  const messages: Json[] = [];
  let seen = 0;
  const handlers = new Set<(message: Json) => void>();
  const wakes = new Set<() => void>();
  const wake = () => {
    for (const one of wakes) one();
  };
  createInterface({ input: child.stdout! }).on('line', (line) => {
    lines.push({ dir: 'out', line });
    let message: Json;
    try {
      message = objectOf(JSON.parse(line));
    } catch {
      return;
    }
    messages.push(message);
    for (const handler of handlers) handler(message);
    wake();
  });
  createInterface({ input: child.stderr! }).on('line', (line) => lines.push({ dir: 'err', line }));
  child.stdin!.on('error', () => undefined);
  let over = false;
  const ended = new Promise<string>((resolve) => {
    child.once('close', (code, signal) => {
      over = true;
      const line = String(code ?? signal);
      lines.push({ dir: 'end', line });
      wake();
      resolve(line);
    });
  });
  const until: Peer['until'] = async (what, matches, timeoutMs = 60_000) => {
    const end = Date.now() + timeoutMs;
    for (;;) {
      while (seen < messages.length) {
        const message = messages[seen++]!;
        if (matches(message)) return message;
      }
      if (over) throw new Error(`the agent ended before ${what}`);
      const left = end - Date.now();
      if (left <= 0) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          wakes.delete(done);
          resolve();
        };
        const timer = setTimeout(done, left);
        wakes.add(done);
      });
    }
  };
  const end: Peer['end'] = async (timeoutMs = 10_000) => {
    const timers = [setTimeout(() => child.kill('SIGTERM'), timeoutMs), setTimeout(() => child.kill('SIGKILL'), timeoutMs + 5000)];
    const line = await ended;
    for (const timer of timers) clearTimeout(timer);
    return line;
  };
  return {
    lines,
    child,
    note: (line) => lines.push({ dir: 'note', line }),
    send: (message) => {
      const line = JSON.stringify(message);
      lines.push({ dir: 'in', line });
      child.stdin!.write(`${line}\n`);
    },
    onMessage: (handler) => handlers.add(handler),
    until,
    end,
    ended,
  };
};
