import { systemClock } from '@fairlead/shared/kit/clock';
import type { AgentTalk } from './dialect.ts';

type Kind = 'text' | 'thought';

/** How much is kept back at most, in characters, and for how long, in ms, so that whoever follows sees sentences and not syllables. */
const KEPT = 8192;
const KEPT_MS = 1000;

/** Puts the chunks together in which agents give their text. */
export interface ChunkJoiner {
  add(kind: Kind, text: string): void;
  /** Tells what was kept back. To be called before anything else is told, so that the order stays. */
  flush(): void;
}

export const createChunkJoiner = (talk: Pick<AgentTalk, 'activity'>, after = systemClock.after): ChunkJoiner => {
  let kind: Kind = 'text';
  let parts: string[] = [];
  let size = 0;
  let cancel = (): void => undefined;
  const flush = (): void => {
    cancel();
    const text = parts.join('');
    parts = [];
    size = 0;
    if (text !== '') talk.activity({ kind, text });
  };
  return {
    add(of, text) {
      if (text === '') return;
      if (of !== kind) flush();
      kind = of;
      if (parts.length === 0) cancel = after(KEPT_MS, flush);
      parts.push(text);
      size += text.length;
      if (size >= KEPT) flush();
    },
    flush,
  };
};
