import type { ActivityItem, Usage } from '@fairlead/shared/contract/activity';
import type { ExecutorInfo } from '@fairlead/shared/contract/executors';
import type { ApprovalMode, Confinement, Outcome } from '@fairlead/shared/contract/states';
import type { PermissionRules } from '@fairlead/shared/contract/permission-rules';
import type { TaskSpec } from '@fairlead/shared/contract/task';
import type { Store } from '../git/store.ts';
import type { PermissionRequest } from '../policy/permission/request.ts';
import type { ConfinedLimits, Sandbox } from '../process/confined.ts';
import type { Workspace } from '../workspaces/workspaces.ts';

/** Why an attempt is being stopped. It is the `reason` of an order's signal. */
export type StopReason = 'cancel' | 'timeout' | 'shutdown';

/** All that an executor is given. It never sees the ledger, and chooses no state. */
export interface ExecutorOrder {
  readonly step_id: string;
  readonly attempt_id: string;
  readonly task: TaskSpec;
  /** What an agent is told; there exactly when `prompted` is true. */
  readonly prompt: string | undefined;
  /** An agent's own files of this attempt, a folder that becomes its home; there exactly when `prompted` is true. */
  readonly home: string | undefined;
  /** The session of an earlier attempt that is to be resumed; its files are in `home` already. */
  readonly resume: string | undefined;
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
  /** What an agent says or does. The runner redacts, numbers and stores it. */
  activity(item: ActivityItem): void;
  /** Asks for leave to do something. Settles when a rule or a person has decided, or the time for it is over; never rejects. */
  permission(request: AgentRequest): Promise<PermissionAnswer>;
  /** The agent's own name of its session, as soon as it is known, so that a later attempt can go on with it. */
  session(id: string): void;
  /** What the agent says it has used, summed over the attempt. */
  usage(usage: Usage): void;
}

/** What an agent wants to do, as it says, and what an edit would change, as it shows it. All of it is untrusted. */
export interface AgentRequest extends PermissionRequest {
  readonly diff?: string;
}

export type PermissionAnswer =
  | { readonly allowed: true; readonly rule: string }
  | { readonly allowed: false; readonly rule: string; readonly reason: string };

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

/** What an operator's profile says about an agent. A planner picks it by name and cannot widen it. */
export interface AgentProfile {
  /** Default: the agent's own. */
  readonly model: string | undefined;
  readonly approval: ApprovalMode;
  /** Hosts beside its model that it may reach. */
  readonly network: 'none' | 'open' | readonly string[];
  readonly budget: { readonly tokens?: number; readonly cost_usd?: number; readonly turns?: number };
  /** What an attempt may take of the machine; what is left out is as for every other program. */
  readonly limits: ConfinedLimits;
  readonly time_ms: number | undefined;
  /** How long a person has to decide on a request, in ms. */
  readonly permission_ms: number;
  readonly rules: PermissionRules;
  /** Whether a later attempt can go on with its session. */
  readonly resumes: boolean;
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
  /** Whether it is an agent: it works from a prompt, has a home of its own, and is expected to change something. */
  readonly prompted: boolean;
  /** What the operator's profile holds an agent to. */
  readonly profile?: AgentProfile;
  /** What the program says of itself, where there is one. */
  version?(): string | null;
  /** Whether it can reach its model, as far as that can be told without spending a call. */
  signedIn?(): ExecutorInfo['signed_in'];
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

const limitsOf = ({ model, approval, network, budget, time_ms, resumes }: AgentProfile): NonNullable<ExecutorInfo['limits']> => ({
  model: model ?? null,
  approval,
  network: network === 'none' ? [] : network === 'open' ? ['*'] : [...network],
  time_ms: time_ms ?? null,
  tokens: budget.tokens ?? null,
  cost_usd: budget.cost_usd ?? null,
  turns: budget.turns ?? null,
  resumes,
});

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
    version: executor.version?.() ?? null,
    signed_in: executor.signedIn?.() ?? 'not_needed',
    limits: executor.profile ? limitsOf(executor.profile) : null,
    confinement: executor.runs_code ? (about.confinement ?? null) : 'not_needed',
    simulated: executor.simulated,
    default: executor.id === about.default_executor,
  };
};
