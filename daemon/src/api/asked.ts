import type { DaemonName, InputOf, OutputOf } from '@fairlead/shared/contract/operations/table';
import type { RawAnswer, RequestContext } from '@fairlead/shared/kit/http-server';
import type { Asker } from '../commands/command.ts';

/** One request that was authenticated and may be served. */
export interface Asked {
  readonly asker: Asker;
  readonly context: RequestContext;
  /** Checks the right to ask again, as every wake of a wait does. @throws what the first check would throw now */
  readonly recheck: () => void;
}

export type Handler<N extends DaemonName> = (input: InputOf<N>, asked: Asked) => Promise<OutputOf<N> | RawAnswer> | OutputOf<N> | RawAnswer;

/** One handler for each operation of the daemon; the compiler sees that none is missing. */
export type Handlers = { readonly [N in DaemonName]: Handler<N> };

/** A part of the handlers. */
export type HandlersOf<N extends DaemonName> = { readonly [K in N]: Handler<K> };

/** A handler as the pipeline calls it: the input has passed the schema of its row. */
export type AnyHandler = (input: never, asked: Asked) => unknown;
