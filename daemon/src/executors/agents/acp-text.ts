import { systemClock } from '@fairlead/shared/kit/clock';
import type { AgentTalk } from './dialect.ts';

type Kind = 'text' | 'thought';

/** From how many characters on whole lines are told, and after how many ms, so that whoever follows reads sentences and not syllables. */
const KEPT = 8192;
const KEPT_MS = 1000;
/** A line longer than this is told in pieces. */
const LINE = 1024 * 1024;

/** Puts the chunks together in which agents give their text. */
export interface ChunkJoiner {
  add(kind: Kind, text: string): void;
  /** Tells all that was kept back. To be called before anything else is told, so that the order stays. */
  flush(): void;
}

/**
 * Tells texts whole: cut only where another kind of text or anything else follows, and where they are long or slow in coming, at the end of a
 * line. What is looked for in them, such as secrets, would not be found in halves.
 */
export const createChunkJoiner = (talk: Pick<AgentTalk, 'activity'>, after = systemClock.after): ChunkJoiner => {
  let kind: Kind = 'text';
  let kept = '';
  let cancel: (() => void) | undefined;
  const tell = (text: string): void => {
    if (text !== '') talk.activity({ kind, text });
  };
  const flush = (): void => {
    cancel?.();
    cancel = undefined;
    tell(kept);
    kept = '';
  };
  const flushLines = (): void => {
    cancel?.();
    cancel = undefined;
    const end = kept.length > LINE ? kept.length : kept.lastIndexOf('\n') + 1;
    tell(kept.slice(0, end));
    kept = kept.slice(end);
  };
  return {
    add(of, text) {
      if (text === '') return;
      if (of !== kind) flush();
      kind = of;
      kept += text;
      if (kept.length >= KEPT) flushLines();
      cancel ??= after(KEPT_MS, flushLines);
    },
    flush,
  };
};
