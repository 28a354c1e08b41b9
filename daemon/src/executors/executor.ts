import type { ExecutorInfo } from '@fairlead/shared/contract/resources';
import type { Confinement, Outcome } from '@fairlead/shared/contract/states';
import type { TaskSpec } from '@fairlead/shared/contract/task';
import type { Store } from '../git/store.ts';
import type { Sandbox } from '../process/confined.ts';
import type { Workspace } from '../workspaces/workspaces.ts';

/** Why an attempt is being stopped. It is the `reason` of an order's signal. */
export type StopReason = 'cancel' | 'timeout' | 'shutdown';

/** All that an executor is given. It never sees the ledger, and chooses no state. */
export interface ExecutorOrder {
  readonly step_id: string;
  readonly attempt_id: string;
  readonly task: TaskSpec;
  /** The bytes of the diff that the task brought. */
  readonly patch: Uint8Array | undefined;
  readonly base_commit: string;
  readonly store: Store;
  /** There exactly when the executor needs one. */
  readonly place: Pick<Workspace, 'folder' | 'out' | 'readable'> | undefined;
  /** What confines code that the executor runs. There exactly when `runs_code` is true. */
  readonly sandbox: Sandbox | undefined;
  /** Until the step's limit, in ms. The runner aborts `signal` at that time; an executor may also pass it on. */
  readonly time_left_ms: number;
  /** Aborted with a `StopReason` when the attempt is to stop. */
  readonly signal: AbortSignal;
}

/** Where an executor tells what goes on. */
export interface ExecutorReport {
  /** A process was started. Awaited before anything is read from it, so that a crash leaves a record to find it by. */
  started(process: { readonly pid: number; readonly started: string }): Promise<void>;
  /** Output, as it comes. The runner redacts, caps and stores it. */
  output(chunk: Uint8Array, from: 'stdout' | 'stderr'): void;
}

/** How an execution ended. `core/verdict` decides what that means for the step. */
export interface ExecutorResult {
  readonly outcome: Outcome;
  readonly reason?: { readonly code: string; readonly message: string };
  readonly exit_code?: number | null;
  readonly signal?: string | null;
  /** The resulting tree, from executors that work in the store and have no workspace. */
  readonly tree?: string;
  /** `unconfirmed`: something that was started may still run. */
  readonly stopped?: 'by_itself' | 'confirmed' | 'unconfirmed';
  /** In how many ms a `quota` outcome may be tried again, when that is known. */
  readonly resets_in_ms?: number;
}

/** What performs an attempt. One contract suite holds for all of them. */
export interface Executor {
  /** Flat id, as `list_executors` prints it. */
  readonly id: string;
  readonly kind: ExecutorInfo['kind'];
  readonly description: string;
  /** `store`: computes a tree without any checkout. `workspace`: changes files in a folder. */
  readonly needs: 'store' | 'workspace';
  /** Whether it runs programs over the workspace, and so needs a sandbox or the owner's `unconfined`. */
  readonly runs_code: boolean;
  /** Whether doing it again does the same, so that an interrupted attempt may simply be repeated. */
  readonly replayable: boolean;
  readonly simulated: boolean;
  /** A limit of its own in ms, below which a task's timeout stays. */
  readonly timeout_ms?: number;
  /** Why it cannot run here, or undefined when it can. */
  unavailable(): string | undefined;
  /** How availability was found out, for people. */
  readonly checked: string;
  /** Never rejects for anything that an agent, a patch or a command does: that is an outcome. */
  execute(order: ExecutorOrder, report: ExecutorReport): Promise<ExecutorResult>;
}

/** The outcome of an execution that was stopped from outside. A shutdown counts as cancelled here; the runner knows better. */
export const stoppedOutcome = (signal: AbortSignal): 'cancelled' | 'timed_out' => (signal.reason === 'timeout' ? 'timed_out' : 'cancelled');

/** An executor as `list_executors` shows it for one instance. */
export const executorInfo = (
  executor: Executor,
  about: { readonly confinement: Confinement | undefined; readonly default_executor: string },
): ExecutorInfo => {
  const lacksSandbox = executor.runs_code && about.confinement === undefined;
  const reason = executor.unavailable() ?? (lacksSandbox ? 'This machine has no sandbox, and the owner did not say unconfined' : undefined);
  return {
    id: executor.id,
    kind: executor.kind,
    description: executor.description,
    available: reason === undefined,
    reason: reason ?? null,
    checked: executor.checked,
    confinement: executor.runs_code ? (about.confinement ?? null) : 'not_needed',
    simulated: executor.simulated,
    default: executor.id === about.default_executor,
  };
};
