import { FairleadError } from '@fairlead/shared/contract/errors';
import { newResourceId } from '@fairlead/shared/contract/ids';
import type { InputOf } from '@fairlead/shared/contract/operations/table';
import type { ExecutorInfo } from '@fairlead/shared/contract/executors';
import type { Step } from '@fairlead/shared/contract/resources';
import type { InstanceRecord, RunRecord } from '../core/records.ts';
import type { StoredFile } from '../ledger/artifact-files.ts';
import { stepNow } from '../ledger/views.ts';
import { effectivePolicy } from '../policy/effective.ts';
import { checkGrantedTask } from '../policy/grant.ts';
import { subjectOf } from '../policy/subject.ts';
import { causeOf, checkNotHalted, checkOpen, checkQueue, ownRun, scopeOf, servedInstance } from './asking.ts';
import type { Asker, Command, CommandDeps } from './command.ts';
import { checkArgv, checkBase, checkCanValidate, checkExecutor, checkFallback, checkSubstance, patchOf, titleOf } from './task-rules.ts';

type Input = InputOf<'submit_task'>;

/** What was found out before the transaction. */
interface Checked {
  readonly executor: ExecutorInfo;
  readonly timeout_ms: number;
}

/** Everything about a task that can be known before it is queued. */
const checkTask = async (deps: CommandDeps, { task }: Input, asker: Asker, run: RunRecord, instance: InstanceRecord): Promise<Checked> => {
  if (task.run_id !== undefined && task.run_id !== run.id) {
    throw new FairleadError('invalid_input', {
      field: 'task.run_id',
      rule: 'must be the run that is addressed',
      detail: 'task.run_id is another run than the one addressed',
    });
  }
  const executor = checkExecutor(deps, instance, task.executor ?? instance.default_executor);
  checkSubstance(task, executor, deps.executors(instance));
  const fallback = checkFallback(deps, instance, task, executor);
  checkArgv(deps, task, asker);
  if (asker.grant) {
    const named = task.validations.filter((validation) => typeof validation === 'string');
    for (const { id } of [executor, ...fallback]) checkGrantedTask(asker.grant, { executor: id, validations: named });
  }
  await checkBase(deps, deps.ledger.read, task.base, run, instance);
  const effective = effectivePolicy(await deps.repositories.ownerPolicy(instance), task);
  checkCanValidate(deps, instance, effective.validations.length);
  const patch = patchOf(task);
  if (patch) await deps.repositories.checkPatch(patch);
  return { executor, timeout_ms: effective.timeout_ms };
};

interface Kept {
  readonly original: StoredFile;
  readonly normalised: StoredFile;
}

/** Keeps the input as it came, byte for byte, and as it was understood. */
const keepInput = async ({ artifacts }: CommandDeps, { task, source }: Input): Promise<Kept> => {
  const normalised = `${JSON.stringify(task, null, 2)}\n`;
  const original = source?.original_base64 === undefined ? normalised : Buffer.from(source.original_base64, 'base64');
  return { original: await artifacts.store(original), normalised: await artifacts.store(normalised) };
};

/**
 * Queues a task. Whatever can be refused is refused here, with the field and the rule; the effect, the key, the budget and the
 * evidence of what was asked are one transaction.
 * @throws FairleadError as the rules of the task say; `run_not_open`, `halted`, `queue_full`, `grant_spent`, `grant_expired`
 */
export const submitTask =
  (deps: CommandDeps): Command<'submit_task'> =>
  async (input, asker) => {
    const { ledger } = deps;
    const run = ownRun(ledger.read, asker, input.run_id);
    const instance = servedInstance(ledger.read, asker, run.instance_id);
    const scope = scopeOf('submit_task', input, asker, { instance_id: instance.id, run_id: run.id });
    // A repeated request is answered before the rules are looked at: they may have changed, the answer has not.
    const before = scope && ledger.answered(scope);
    if (before) return before.answer as Step;
    checkNotHalted(ledger.read);
    checkOpen(run);
    const { executor, timeout_ms } = await checkTask(deps, input, asker, run, instance);
    const kept = await keepInput(deps, input);
    const about = causeOf(asker);
    return ledger.record((tx) =>
      tx.idempotent(scope, (): Step => {
        checkNotHalted(tx.read);
        servedInstance(tx.read, asker, instance.id);
        checkOpen(ownRun(tx.read, asker, run.id));
        checkQueue(tx.read, asker);
        if (asker.grant) tx.spend(asker.grant.id, { steps: 1, wall_ms: timeout_ms });
        const step = tx.add.step(
          {
            id: newResourceId('step', instance.id),
            run_id: run.id,
            instance_id: instance.id,
            title: titleOf(input.task),
            executor_requested: executor.id,
            simulated: executor.simulated,
            base: input.task.base,
            timeout_ms,
            remote: asker.remote,
            grant_id: asker.grant?.id ?? null,
            submitted_by: asker.principal,
            asked_by: [subjectOf(asker)],
            authority: asker.authority,
          },
          input.task,
          { ...about, data: { source: input.source?.kind ?? 'api', task_sha256: kept.normalised.sha256 } },
        );
        const place = { instance_id: instance.id, run_id: run.id, step_id: step.id, attempt_id: null, redactions: {} };
        const named = input.source?.original_base64 !== undefined && input.source.name !== undefined;
        tx.add.artifact(
          {
            ...place,
            ...kept.original,
            id: newResourceId('art', instance.id),
            kind: 'task_original',
            name: named ? input.source!.name! : 'task-original',
            media_type: 'text/plain',
          },
          about,
        );
        tx.add.artifact(
          {
            ...place,
            ...kept.normalised,
            id: newResourceId('art', instance.id),
            kind: 'task',
            name: 'task.json',
            media_type: 'application/json',
          },
          about,
        );
        return stepNow(tx.read, step);
      }),
    );
  };
