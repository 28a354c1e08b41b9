import type { Confinement } from '@fairlead/shared/contract/states';

/** What is to run, and all that it may see. Everything not named here is absent: no home, no Fairlead home, no network. */
export interface ConfinedOrder {
  /** No shell reads it. */
  readonly argv: readonly string[];
  /** Host folder, mounted read-write at `/workspace`, which is the working directory. */
  readonly workspace: string;
  /** Host folder, mounted read-write at `/out`; its path is in `FAIRLEAD_OUT`. */
  readonly out?: string;
  /** Host paths mounted read-only at `to`. A missing `from` fails the start. */
  readonly readable: readonly { readonly from: string; readonly to: string }[];
  /** Added to an environment that is built from empty. */
  readonly env: Readonly<Record<string, string>>;
  /** Limit in ms, after which everything is stopped. */
  readonly timeout_ms: number;
  /** Written to standard input, which is then closed. Without it standard input is empty. */
  readonly stdin?: string | Uint8Array;
  /** Output as it comes, already cut at `LIMITS.output_captured` for both streams together. */
  readonly output: (chunk: Buffer, from: 'stdout' | 'stderr') => void;
}

/** How everything that was started ended. */
export interface ConfinedEnd {
  readonly exit_code: number | null;
  readonly signal: string | null;
  readonly timed_out: boolean;
  /** `confirmed`: stopped on request or at the limit, and nothing is left. `unconfirmed`: something may still run. */
  readonly stopped: 'by_itself' | 'confirmed' | 'unconfirmed';
  /** Bytes of output that were dropped because of the limit. */
  readonly dropped: number;
}

export interface ConfinedProcess {
  /** Of the outermost process on the host. */
  readonly pid: number;
  /** Start-time token: with the pid it names this process and no later one with the same pid. */
  readonly started: string;
  /** Resolves once nothing of the order runs any more, or the stop stayed unconfirmed. Never rejects. */
  readonly ended: Promise<ConfinedEnd>;
  /** TERM, then KILL after `LIMITS.stop_grace`, then confirmed gone. Calling it again changes nothing. */
  stop(): Promise<ConfinedEnd>;
}

/** The one port through which bytes of a workspace are executed. */
export interface Sandbox {
  readonly kind: Confinement;
  /** What it is and what it does not do, in plain words. */
  readonly detail: string;
  /** @throws FairleadError `sandbox_unavailable` when the confinement cannot be set up */
  start(order: ConfinedOrder): Promise<ConfinedProcess>;
}
