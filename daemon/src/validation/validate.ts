import type { Confinement } from '@fairlead/shared/contract/states';
import { systemClock } from '@fairlead/shared/kit/clock';
import type { Store } from '../git/store.ts';
import type { ConfinedOrder, Sandbox } from '../process/confined.ts';
import type { Provisioning } from '../workspaces/provision.ts';
import type { Workspace, Workspaces } from '../workspaces/workspaces.ts';

/** One check to run, as policy and task declare it. */
export interface Check {
  readonly name: string;
  /** No shell reads it. */
  readonly argv: readonly string[];
  readonly timeout_ms: number;
  readonly required: boolean;
}

/** What was observed of one check. */
export interface ValidationFacts {
  readonly name: string;
  readonly required: boolean;
  readonly passed: boolean;
  readonly argv: readonly string[];
  readonly exit_code: number | null;
  readonly signal: string | null;
  readonly timed_out: boolean;
  /** Ended from outside: the step was cancelled or its time was up. Not a verdict on the change. */
  readonly interrupted: boolean;
  /** `unconfirmed`: something of the check may still run. */
  readonly stopped: 'by_itself' | 'confirmed' | 'unconfirmed';
  readonly duration_ms: number;
  readonly confinement: Confinement;
  /** Epoch ms. */
  readonly started_at: number;
}

export interface ValidationOrder {
  readonly store: Store;
  /** The snapshot, or the commit that would land. */
  readonly commit: string;
  readonly checks: readonly Check[];
  readonly workspaces: Workspaces;
  /** The beginning of the names of the checkouts, such as `<attempt id>.check`; one path segment. */
  readonly name: string;
  readonly sandbox: Sandbox;
  readonly provision: Pick<Provisioning, 'policy' | 'repository' | 'timeout_ms' | 'output'>;
  /** Extra environment, such as the step's id. */
  readonly env: Readonly<Record<string, string>>;
  /** Where the output of a check goes; asked once for each check. */
  readonly output: (check: Check) => ConfinedOrder['output'];
  /** Told after each check, before the next one starts; awaited, so that a stored row precedes what follows. */
  readonly done?: (facts: ValidationFacts) => void | Promise<void>;
  /** Told of every process, so that a crash leaves a record to find it by. */
  readonly started?: (process: { readonly pid: number; readonly started: string }) => void | Promise<void>;
  /** Host folder whose content (`$FAIRLEAD_OUT`) is collected after a check, before it is removed. */
  readonly collect?: (out: string) => Promise<void>;
  readonly signal?: AbortSignal;
}

const runCheck = async (order: ValidationOrder, workspace: Workspace, check: Check): Promise<ValidationFacts> => {
  const { sandbox, signal } = order;
  const started_at = systemClock.now();
  const from = systemClock.monotonic();
  const child = await sandbox.start({
    argv: check.argv,
    workspace: workspace.folder,
    out: workspace.out,
    readable: workspace.readable,
    env: { ...order.env, FAIRLEAD_VALIDATION: check.name },
    timeout_ms: check.timeout_ms,
    output: order.output(check),
  });
  const stop = (): void => void child.stop();
  signal?.addEventListener('abort', stop, { once: true });
  if (signal?.aborted) stop();
  await order.started?.({ pid: child.pid, started: child.started });
  const end = await child.ended;
  signal?.removeEventListener('abort', stop);
  const interrupted = !end.timed_out && end.stopped !== 'by_itself';
  return {
    name: check.name,
    required: check.required,
    passed: end.stopped === 'by_itself' && end.exit_code === 0,
    argv: check.argv,
    exit_code: end.exit_code,
    signal: end.signal,
    timed_out: end.timed_out,
    interrupted,
    stopped: end.stopped,
    duration_ms: Math.round(systemClock.monotonic() - from),
    confinement: sandbox.kind,
    started_at,
  };
};

/** A check that was not begun, because the step was stopped before its turn. */
const notBegun = (order: ValidationOrder, check: Check): ValidationFacts => ({
  name: check.name,
  required: check.required,
  passed: false,
  argv: check.argv,
  exit_code: null,
  signal: null,
  timed_out: false,
  interrupted: true,
  stopped: 'confirmed',
  duration_ms: 0,
  confinement: order.sandbox.kind,
  started_at: systemClock.now(),
});

/** Runs one check in a checkout of its own. @param number keeps the checkouts of a round apart */
const runInCheckout = async (order: ValidationOrder, check: Check, number: number): Promise<ValidationFacts> => {
  const { workspaces, sandbox, signal } = order;
  const workspace = await workspaces.create({ name: `${order.name}.${number}`, store: order.store, commit: order.commit });
  try {
    const ready = await workspaces.provision(workspace, { ...order.provision, sandbox, ...(signal && { signal }) });
    const found = await runCheck(order, ready, check);
    await order.collect?.(workspace.out);
    return found;
  } finally {
    await workspaces.release(workspace);
  }
};

/**
 * Runs checks one after another, each in a clean checkout of the commit of its own, provisioned afresh: it holds nothing that an executor
 * could have written, and nothing that the check before it did, for what a check runs comes from the change. All of them run, also after
 * one failed, unless the signal is aborted.
 * @throws FairleadError what `Workspaces.create` and `provision` throw
 */
export const runValidations = async (order: ValidationOrder): Promise<readonly ValidationFacts[]> => {
  const facts: ValidationFacts[] = [];
  for (const [number, check] of order.checks.entries()) {
    const found = order.signal?.aborted ? notBegun(order, check) : await runInCheckout(order, check, number);
    facts.push(found);
    await order.done?.(found);
  }
  return facts;
};
