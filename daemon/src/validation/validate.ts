import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Confinement } from '@fairlead/shared/contract/states';
import type { Store } from '../git/store.ts';
import type { ConfinedOrder, Sandbox } from '../process/confined.ts';
import type { Provisioning, Workspaces } from '../workspaces/workspaces.ts';

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
  /** Name of the checkout, such as `<attempt id>.check`; one path segment. */
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
  /** Host folder whose content (`$FAIRLEAD_OUT`) is collected when all checks are done, before it is removed. */
  readonly collect?: (out: string) => Promise<void>;
  readonly signal?: AbortSignal;
}

/**
 * Runs checks one after another in one clean checkout of a commit, provisioned afresh, that holds nothing an executor could have
 * written. All of them run, also after one failed. With no checks it does nothing at all.
 * @throws FairleadError what `Workspaces.create` and `provision` throw
 */
export const runValidations = async (order: ValidationOrder): Promise<readonly ValidationFacts[]> => {
  throw new FairleadError('internal', { detail: `not yet: ${order.name}` });
};
