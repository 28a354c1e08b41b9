import { FairleadError } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';
import type { OperationName } from '@fairlead/shared/contract/operations/table';
import { digestOf } from '../core/digest.ts';
import type { Cause, InstanceRecord, RunRecord, StepRecord } from '../core/records.ts';
import type { IdempotencyScope, Reads } from '../ledger/ledger.ts';
import { subjectOf } from '../policy/subject.ts';
import type { Asker } from './command.ts';

/** What a line of history says of who asked. */
export const causeOf = ({ principal, authority, grant }: Asker): Cause => ({
  principal,
  authority,
  ...(grant && { grant_digest: grant.digest }),
});

/**
 * The scope of a request's idempotency key, or undefined for a local request without one. The subject is who asks
 * (`policy/subject`).
 */
export const scopeOf = (
  operation: OperationName,
  input: unknown,
  asker: Asker,
  about: { readonly instance_id: string; readonly run_id?: string | undefined },
): IdempotencyScope | undefined =>
  asker.idempotency_key === undefined
    ? undefined
    : {
        instance_id: about.instance_id,
        subject: subjectOf(asker),
        key: asker.idempotency_key,
        operation,
        digest: digestOf({ operation, input }),
        run_id: about.run_id ?? null,
      };

/** @throws FairleadError `instance_mismatch`: the record belongs to another instance than the one addressed */
const checkOwner = (asker: Asker, instanceId: string, field: string): void => {
  if (asker.instance_id !== undefined && asker.instance_id !== instanceId) throw new FairleadError('instance_mismatch', { field });
};

/** An instance that is served. @throws FairleadError `not_found`, `instance_mismatch` */
export const servedInstance = (read: Reads, asker: Asker, id: string): InstanceRecord => {
  checkOwner(asker, id, 'instance_id');
  const instance = read.instance(id);
  if (!instance || instance.removed_at !== null) throw new FairleadError('not_found', { field: 'instance_id' });
  return instance;
};

/** @throws FairleadError `not_found`, `instance_mismatch` */
export const ownRun = (read: Reads, asker: Asker, id: string): RunRecord => {
  const run = read.run(id);
  if (!run) throw new FairleadError('not_found', { field: 'run_id' });
  checkOwner(asker, run.instance_id, 'run_id');
  return run;
};

/** @throws FairleadError `not_found`, `instance_mismatch` */
export const ownStep = (read: Reads, asker: Asker, id: string): StepRecord => {
  const step = read.step(id);
  if (!step) throw new FairleadError('not_found', { field: 'step_id' });
  checkOwner(asker, step.instance_id, 'step_id');
  return step;
};

/** @throws FairleadError `run_not_open` */
export const checkOpen = (run: RunRecord): void => {
  if (run.state !== 'open') throw new FairleadError('run_not_open', { detail: `The run is ${run.state}`, more: { state: run.state } });
};

/**
 * Whether one more step may wait. The owner finds room however much planners ask for, and a planner however much another one does.
 * @throws FairleadError `queue_full`
 */
export const checkQueue = (read: Reads, asker: Asker): void => {
  const full = (detail: string) => new FairleadError('queue_full', { detail });
  const waiting = read.queueLength();
  if (waiting >= LIMITS.queue.value) throw full(`${waiting} steps wait.`);
  if (!asker.remote || waiting < LIMITS.queue_per_planner.value) return;
  if (read.queuedBy(subjectOf(asker)) >= LIMITS.queue_per_planner.value)
    throw full(`${LIMITS.queue_per_planner.value} steps of this planner wait.`);
  if (read.queuedRemotely() >= LIMITS.queue_remote.value) throw full(`${LIMITS.queue_remote.value} steps of planners wait.`);
};

/** @throws FairleadError `halted` */
export const checkNotHalted = (read: Reads): void => {
  if (read.halted()) throw new FairleadError('halted');
};
