import { FairleadError } from '@fairlead/shared/contract/errors';
import type { ExecutorInfo } from '@fairlead/shared/contract/executors';
import type { Confinement } from '@fairlead/shared/contract/states';
import type { Clock } from '@fairlead/shared/kit/clock';
import type { DeclaredCommand } from './command.ts';
import { commandExecutor } from './command.ts';
import type { Executor } from './executor.ts';
import { executorInfo } from './executor.ts';
import { patchExecutor } from './patch.ts';
import { SIMULATIONS, simulationExecutor } from './simulation.ts';

/** The executors of this machine. */
export interface ExecutorRegistry {
  readonly all: readonly Executor[];
  find(id: string): Executor | undefined;
  /** @throws FairleadError `executor_unknown` that names those there are */
  get(id: string): Executor;
  /** As `list_executors` answers for an instance; `confinement` is undefined where there is no sandbox and no `unconfined`. */
  list(about: { readonly confinement: Confinement | undefined; readonly default_executor: string }): ExecutorInfo[];
}

/** Builds the registry once, at start. */
export const createExecutors = (options: {
  readonly commands: readonly DeclaredCommand[];
  readonly agents?: readonly Executor[];
  readonly clock: Clock;
}): ExecutorRegistry => {
  const all: readonly Executor[] = [
    patchExecutor,
    ...(options.agents ?? []),
    ...options.commands.map(commandExecutor),
    ...SIMULATIONS.map((name) => simulationExecutor(name, options.clock)),
  ];
  const byId = new Map(all.map((executor) => [executor.id, executor]));
  return {
    all,
    find: (id) => byId.get(id),
    get(id) {
      const found = byId.get(id);
      if (found) return found;
      const available = [...byId.keys()];
      throw new FairleadError('executor_unknown', {
        field: 'task.executor',
        detail: `There is no executor ${id}`,
        hint: `Name one of: ${available.join(', ')}`,
        more: { available },
      });
    },
    list: (about) => all.map((executor) => executorInfo(executor, about)),
  };
};
