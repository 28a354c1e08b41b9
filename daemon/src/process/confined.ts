import type { Confinement } from '@fairlead/shared/contract/states';

/**
 * Where things lie inside a sandbox. An order names its places by these paths whatever runs it; `Places.pathOf` tells how such a
 * path is reached where nothing can be mounted.
 */
export const INSIDE = { workspace: '/workspace', out: '/out', home: '/home/fairlead' } as const;

/** What every program in a sandbox finds in its environment, whatever the order adds. */
export const ROOM_ENVIRONMENT: Readonly<Record<string, string>> = {
  HOME: INSIDE.home,
  USER: 'fairlead',
  LOGNAME: 'fairlead',
  SHELL: '/bin/sh',
  LANG: 'C.UTF-8',
  TERM: 'dumb',
  TMPDIR: '/tmp',
};

/** A host file or folder, and the absolute path at which the order's programs find it. */
export interface Mount {
  readonly from: string;
  readonly to: string;
}

/** How the places of one order are reached by its programs; known when it starts. */
export interface Places {
  readonly workspace: string;
  /** Undefined when the order has none. */
  readonly out: string | undefined;
  readonly home: string;
  /** Translates a path below `INSIDE` or below the `to` of a mount; any other path is answered as it is. */
  pathOf(path: string): string;
}

/** A value, or how it is made once the places of the order are known. */
export type Placed<T> = T | ((places: Places) => T);

/** Carries connections to a port of the order's own loopback to a unix socket of the host. */
export interface Forward {
  /** On 127.0.0.1 inside. */
  readonly port: number;
  /** Path of the socket on the host. */
  readonly socket: string;
}

/** What an order may use up before it is stopped. What is not named is as `LIMITS` has it. */
export interface ConfinedLimits {
  /** Processes at the same time. */
  readonly processes?: number;
  /** Bytes of memory of all processes together. */
  readonly memory?: number;
  /** Bytes on disk in the workspace, `out`, the home and what is mounted writable. */
  readonly disk?: number;
}

/** What is to run, and all that it may see. Everything not named here is absent: no home, no Fairlead home, no network. */
export interface ConfinedOrder {
  /** Whose work it is, such as the id of an attempt: by it all processes of the order are found after a crash. */
  readonly owner?: string;
  /** No shell reads it. */
  readonly argv: Placed<readonly string[]>;
  /** Host folder, mounted read-write at `/workspace`, which is the working directory. */
  readonly workspace: string;
  /** Host folder, mounted read-write at `/out`; its path is in `FAIRLEAD_OUT`. */
  readonly out?: string;
  /** Host paths mounted read-only at `to`. A missing `from` fails the start. */
  readonly readable: readonly Mount[];
  /** Host paths mounted read-write at `to`, such as the folder of an agent's sessions. A missing `from` fails the start. */
  readonly writable?: readonly Mount[];
  /** Host folder that is the home, read-write. Without it the home is empty and thrown away at the end. */
  readonly home?: string;
  /** Without it there is no network at all, not even a loopback that anything listens on. */
  readonly network?: { readonly forwards: readonly Forward[] };
  /** Added to an environment that is built from empty. */
  readonly env: Placed<Readonly<Record<string, string>>>;
  /** Limit in ms, after which everything is stopped. */
  readonly timeout_ms: number;
  readonly limits?: ConfinedLimits;
  /** Bytes are written to standard input, which is then closed; `open` leaves it to `write` and `endInput`. Without it standard input is empty. */
  readonly stdin?: Uint8Array | 'open';
  /** Output as it comes, already cut at `LIMITS.output_captured` for both streams together. */
  readonly output: (chunk: Buffer, from: 'stdout' | 'stderr') => void;
}

/** How everything that was started ended. */
export interface ConfinedEnd {
  readonly exit_code: number | null;
  /**
   * The signal that ended the outermost program. When `stopped` is `by_itself` it was not ours. bubblewrap tells a signal only as exit
   * code 128 and its number, which stays in `exit_code`; a program that exits so by its own will cannot be told apart.
   */
  readonly signal: string | null;
  readonly timed_out: boolean;
  /** `confirmed`: stopped on request or at a limit, and nothing is left. `unconfirmed`: something may still run. */
  readonly stopped: 'by_itself' | 'confirmed' | 'unconfirmed';
  /** Bytes of output that were dropped because of the limit. */
  readonly dropped: number;
  /** What the order used too much of, for which it was stopped; `memory` also where the kernel was faster. Otherwise null. */
  readonly exceeded: 'processes' | 'memory' | 'disk' | 'output' | null;
  /**
   * Who ended it, if it did not end by itself: `fairlead` (a stop, a limit), `oom` (the kernel, out of memory; told only where this machine
   * lends us a control group) or `other` (a signal that was not ours). Otherwise null.
   */
  readonly killed_by: 'fairlead' | 'oom' | 'other' | null;
}

export interface ConfinedProcess {
  /** Of the outermost process on the host. */
  readonly pid: number;
  /** Start-time token: with the pid it names this process and no later one with the same pid. */
  readonly started: string;
  readonly places: Places;
  /** Resolves once nothing of the order runs any more, or the stop stayed unconfirmed. Never rejects. */
  readonly ended: Promise<ConfinedEnd>;
  /**
   * Writes to a standard input that is `open`. Resolves once the bytes are on their way, so that whoever awaits it is slowed down to the
   * speed of the reader, and also when nobody will ever read them because the process has gone. Never rejects.
   */
  write(chunk: string | Uint8Array): Promise<void>;
  /** Closes a standard input that is `open`, after what was written before. */
  endInput(): void;
  /** TERM, then KILL after `LIMITS.stop_grace`, then confirmed gone. Calling it again changes nothing. */
  stop(): Promise<ConfinedEnd>;
}

/** The one port through which bytes of a workspace are executed. */
export interface Sandbox {
  readonly kind: Confinement;
  /** What it is and what it does not do, in plain words. */
  readonly detail: string;
  /** @throws FairleadError `sandbox_unavailable` when the confinement or a place cannot be set up */
  start(order: ConfinedOrder): Promise<ConfinedProcess>;
}
