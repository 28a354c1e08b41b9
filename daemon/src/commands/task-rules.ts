import { FairleadError } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';
import type { ExecutorInfo } from '@fairlead/shared/contract/executors';
import { STEP_STATES } from '@fairlead/shared/contract/states';
import type { TaskSpec } from '@fairlead/shared/contract/task';
import type { InstanceRecord, RunRecord } from '../core/records.ts';
import type { Reads } from '../ledger/ledger.ts';
import type { Asker, CommandDeps } from './command.ts';

const NO_SANDBOX = 'This machine has no sandbox, and the owner did not say unconfined for this instance';

/** The executor that a task names or the instance's default. @throws FairleadError `executor_unknown`, `executor_unavailable`, `sandbox_unavailable` */
export const checkExecutor = (deps: CommandDeps, instance: InstanceRecord, id: string): ExecutorInfo => {
  const executors = deps.executors(instance);
  const executor = executors.find((one) => one.id === id);
  if (!executor) {
    const available = executors.map((one) => one.id);
    throw new FairleadError('executor_unknown', {
      field: 'task.executor',
      rule: 'must be an executor of this machine',
      detail: `There is no executor ${id}`,
      hint: `Name one of: ${available.join(', ')}`,
      more: { available },
    });
  }
  if (executor.available) return executor;
  if (executor.confinement === null && deps.confinement(instance) === undefined) {
    throw new FairleadError('sandbox_unavailable', {
      field: 'task.executor',
      rule: 'whatever runs code runs confined',
      detail: NO_SANDBOX,
    });
  }
  throw new FairleadError('executor_unavailable', {
    field: 'task.executor',
    rule: 'must be available',
    detail: executor.reason ?? `${id} is not available`,
  });
};

/**
 * The executors that a task allows when the one before has reached its limit.
 * @throws FairleadError `invalid_input` for one that is no agent or is named twice, and as `checkExecutor`
 */
export const checkFallback = (
  deps: CommandDeps,
  instance: InstanceRecord,
  task: Pick<TaskSpec, 'fallback'>,
  first: ExecutorInfo,
): ExecutorInfo[] => {
  const named = new Set([first.id]);
  return task.fallback.map((id, index) => {
    const field = `task.fallback[${index}]`;
    if (named.has(id))
      throw new FairleadError('invalid_input', { field, rule: 'must be another executor', detail: `${field}: ${id} is named already` });
    named.add(id);
    const found = checkExecutor(deps, instance, id);
    if (isAgent(found) && isAgent(first)) return found;
    throw new FairleadError('invalid_input', {
      field,
      rule: 'must be an agent, after an agent',
      detail: `${field}: only agents reach limits of a model and follow one another`,
    });
  });
};

const isAgent = ({ limits }: ExecutorInfo): boolean => limits !== null;

/** Checks run code: @throws FairleadError `sandbox_unavailable` where some would run and nothing can confine them */
export const checkCanValidate = (deps: CommandDeps, instance: InstanceRecord, validations: number): void => {
  if (validations === 0 || deps.confinement(instance) !== undefined) return;
  throw new FairleadError('sandbox_unavailable', {
    field: 'task.validations',
    rule: 'whatever runs code runs confined',
    detail: NO_SANDBOX,
  });
};

/** The bytes of a task's patch, if it has one. @throws FairleadError `invalid_input` when it comes twice */
export const patchOf = (task: Pick<TaskSpec, 'patch' | 'patch_base64'>): Buffer | undefined => {
  if (task.patch !== undefined && task.patch_base64 !== undefined) {
    throw new FairleadError('invalid_input', {
      field: 'task.patch_base64',
      rule: 'patch or patch_base64, not both',
      detail: 'The task has a patch and a patch_base64',
    });
  }
  if (task.patch !== undefined) return Buffer.from(task.patch, 'utf8');
  return task.patch_base64 === undefined ? undefined : Buffer.from(task.patch_base64, 'base64');
};

/**
 * What a task must bring for its executor.
 * @throws FairleadError `patch_required` (naming the executors that take a goal), `patch_unexpected`, `invalid_input`
 */
export const checkSubstance = (task: TaskSpec, executor: ExecutorInfo, executors: readonly ExecutorInfo[]): void => {
  const patch = patchOf(task);
  if (executor.kind === 'patch') {
    if (patch) return;
    const available = executors.filter((one) => one.kind !== 'patch' && one.available).map((one) => one.id);
    throw new FairleadError('patch_required', {
      field: 'task.patch',
      rule: 'the patch executor needs a patch',
      detail: 'The task has no patch, and its executor is patch',
      hint:
        available.length > 0
          ? `Add task.patch (a unified diff), or name an executor: ${available.join(', ')}`
          : 'Add task.patch (a unified diff); this machine has no other executor.',
      more: { available },
    });
  }
  if (patch) {
    throw new FairleadError('patch_unexpected', {
      field: task.patch === undefined ? 'task.patch_base64' : 'task.patch',
      rule: 'only the patch executor takes a patch',
      detail: `The executor ${executor.id} takes no patch`,
    });
  }
  if (task.goal === undefined && task.title === undefined) {
    throw new FairleadError('invalid_input', {
      field: 'task.goal',
      rule: 'is required without a patch',
      detail: 'The task says neither a goal nor a title',
      hint: 'Say in task.goal what is to be achieved.',
    });
  }
};

/** No command line comes from far away, and none at all unless the operator allows it. @throws FairleadError `argv_not_allowed` */
export const checkArgv = (deps: CommandDeps, task: TaskSpec, asker: Asker): void => {
  const index = task.validations.findIndex((validation) => typeof validation !== 'string');
  if (index < 0 || (!asker.remote && deps.settings.allow_local_argv)) return;
  throw new FairleadError('argv_not_allowed', {
    field: `task.validations[${index}]`,
    rule: asker.remote ? 'a remote task names validations' : "the daemon's config must set allow_local_argv",
    detail: 'The task brings a command line',
  });
};

/** The base as a name: whether it can be meant at all. @throws FairleadError `base_unknown`, `base_not_allowed`, `instance_mismatch` */
export const checkBase = async (deps: CommandDeps, read: Reads, base: string, run: RunRecord, instance: InstanceRecord): Promise<void> => {
  if (base === 'target') return;
  const field = 'task.base';
  if (base.startsWith('step_')) {
    const step = read.step(base);
    if (!step || step.run_id !== run.id)
      throw new FairleadError('base_unknown', {
        field,
        rule: 'must be a step of the same run',
        detail: 'The base is not a step of this run',
      });
    if (STEP_STATES[step.state].end && step.change_id === null) {
      throw new FairleadError('base_unknown', {
        field,
        rule: 'must be a step that left a change',
        detail: `Step ${step.number} ended as ${step.state} and left no change to stand on`,
      });
    }
    return;
  }
  const listed = [...new Set([run.target, instance.target, ...instance.listed_branches])];
  const found = await deps.repositories.reaches(instance, base, listed);
  if (found === 'reached') return;
  if (found === 'unknown')
    throw new FairleadError('base_unknown', { field, rule: 'must be a commit of the repository', detail: `There is no commit ${base}` });
  throw new FairleadError('base_not_allowed', {
    field,
    rule: 'must be reachable from a listed branch',
    detail: 'No listed branch reaches this commit',
    more: { available: listed },
  });
};

/** One line for lists and for the commit that lands. */
export const titleOf = (task: TaskSpec): string => {
  if (task.title !== undefined) return task.title;
  const line = (task.goal ?? '')
    .split('\n')
    .map((text) => text.replaceAll(/\p{Cc}+/gu, ' ').trim())
    .find((text) => text !== '');
  if (line === undefined) return 'Apply a patch';
  const longest = LIMITS.title.value;
  return line.length <= longest
    ? line
    : `${line
        .slice(0, longest - 1)
        .toWellFormed()
        .trimEnd()}…`;
};
