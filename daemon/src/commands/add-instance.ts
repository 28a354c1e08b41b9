import { FairleadError } from '@fairlead/shared/contract/errors';
import type { InputOf } from '@fairlead/shared/contract/operations/table';
import type { InstanceRecord } from '../core/records.ts';
import { causeOf, scopeOf } from './asking.ts';
import type { Command, CommandDeps, InspectedRepository } from './command.ts';

type Input = InputOf<'add_instance'>;

/** @throws FairleadError `invalid_input` that names the branches there are */
const branchOf = (field: string, name: string, { branches }: InspectedRepository): string => {
  const full = name.startsWith('refs/') ? name : `refs/heads/${name}`;
  if (branches.includes(full)) return full;
  throw new FairleadError('invalid_input', {
    field,
    rule: 'must be a branch of the repository',
    detail: `There is no branch ${name}`,
    hint: `Name one of: ${branches.slice(0, 20).join(', ')}`,
    more: { available: branches.slice(0, 200) },
  });
};

const branchesOf = (input: Input, found: InspectedRepository): Pick<InstanceRecord, 'target' | 'policy_ref' | 'listed_branches'> => {
  const chosen = input.target ?? found.head;
  if (chosen === null) {
    throw new FairleadError('invalid_input', {
      field: 'target',
      rule: 'is required where no branch is checked out',
      detail: 'HEAD is detached, so there is no branch to take for the target',
      hint: `Name one with --target: ${found.branches.slice(0, 20).join(', ')}`,
      more: { available: found.branches.slice(0, 200) },
    });
  }
  const target = branchOf('target', chosen, found);
  return {
    target,
    policy_ref: input.policy_ref === undefined ? target : branchOf('policy_ref', input.policy_ref, found),
    listed_branches: input.listed_branches.map((name, index) => branchOf(`listed_branches[${index}]`, name, found)),
  };
};

/** @throws FairleadError `executor_unknown` */
const checkDefaultExecutor = (deps: CommandDeps, instance: InstanceRecord): void => {
  const available = deps.executors(instance).map(({ id }) => id);
  if (available.includes(instance.default_executor)) return;
  throw new FairleadError('executor_unknown', {
    field: 'default_executor',
    rule: 'must be an executor of this machine',
    detail: `There is no executor ${instance.default_executor}`,
    hint: `Name one of: ${available.join(', ')}`,
    more: { available },
  });
};

/** An id whose routing prefix no instance of this daemon has. */
const freshId = (deps: CommandDeps): { readonly id: string; readonly nonce: string } => {
  for (;;) {
    const fresh = deps.newInstanceId();
    if (!deps.ledger.read.prefixTaken(fresh.id)) return fresh;
  }
};

const checkUnknown = ({ ledger }: CommandDeps, path: string): void => {
  const known = ledger.read.instanceByRepository(path);
  if (known)
    throw new FairleadError('repository_known', {
      field: 'path',
      detail: 'The repository is registered already',
      more: { instance_id: known.id },
    });
};

/**
 * Registers a repository and makes its store. Nothing is shared by this.
 * @throws FairleadError `repository_invalid`, `repository_empty`, `repository_unsupported`, `repository_known`, `invalid_input`, `executor_unknown`
 */
export const addInstance =
  (deps: CommandDeps): Command<'add_instance'> =>
  async (input, asker) => {
    const { ledger, clock, repositories } = deps;
    const scope = scopeOf('add_instance', input, asker, { instance_id: '' });
    const before = scope && ledger.answered(scope);
    if (before) return deps.showInstance(before.answer as string, asker);
    const found = await repositories.inspect(input.path);
    checkUnknown(deps, found.path);
    const instance: InstanceRecord = {
      ...freshId(deps),
      ...branchesOf(input, found),
      label: input.label ?? (found.name.slice(0, 100) || 'repository'),
      repository: found.path,
      default_executor: input.default_executor,
      unconfined: input.unconfined,
      origin_digest: found.origin_digest,
      added_at: clock.now(),
      removed_at: null,
    };
    checkDefaultExecutor(deps, instance);
    await repositories.createStore(instance);
    const id = await ledger.record((tx) =>
      tx.idempotent(scope, () => {
        checkUnknown(deps, found.path);
        tx.add.instance(instance, causeOf(asker));
        return instance.id;
      }),
    );
    return deps.showInstance(id, asker);
  };
