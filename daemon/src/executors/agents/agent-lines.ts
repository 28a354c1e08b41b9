import { LIMITS } from '@fairlead/shared/contract/limits';
import type { AgentLine } from './dialect.ts';

/** Cuts bytes into lines and reads each as JSON. */
export interface LineReader {
  push(chunk: Buffer): void;
  /** No more will come. */
  end(): void;
  readonly lines: AsyncIterable<AgentLine>;
}

/** How many lines are taken in one turn of the event loop. */
const LINES_A_TURN = 50;

const read = (bytes: Buffer): AgentLine | undefined => {
  const text = bytes.toString('utf8').toWellFormed().trim();
  if (text === '') return undefined;
  try {
    return { json: JSON.parse(text) as unknown };
  } catch {
    return { text };
  }
};

/** A line longer than `LIMITS.agent_line` is given in pieces, as text: no agent speaks so. */
export const createLineReader = (): LineReader => {
  let ready: AgentLine[] = [];
  let parts: Buffer[] = [];
  let size = 0;
  let ended = false;
  let wake = (): void => undefined;

  const flush = (): void => {
    const line = read(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
    if (line) ready.push(line);
    parts = [];
    size = 0;
  };
  const add = (bytes: Buffer): void => {
    if (bytes.length === 0) return;
    parts.push(bytes);
    size += bytes.length;
    if (size > LIMITS.agent_line.value) flush();
  };

  async function* lines(): AsyncGenerator<AgentLine> {
    for (;;) {
      const batch = ready;
      ready = [];
      for (const [index, line] of batch.entries()) {
        yield line;
        // Lines that are there already are taken without a turn of the event loop in between, which others wait for.
        if (index % LINES_A_TURN === LINES_A_TURN - 1) await new Promise((resolve) => void setImmediate(resolve));
      }
      if (ready.length > 0) continue;
      if (ended) return;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  }

  return {
    push(chunk) {
      let from = 0;
      for (let at = chunk.indexOf(0x0a); at !== -1; at = chunk.indexOf(0x0a, from)) {
        add(chunk.subarray(from, at));
        flush();
        from = at + 1;
      }
      add(chunk.subarray(from));
      wake();
    },
    end() {
      flush();
      ended = true;
      wake();
    },
    lines: lines(),
  };
};
