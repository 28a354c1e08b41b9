import { realpath } from 'node:fs/promises';
import type { Client } from '@fairlead/shared/contract/client';
import { FairleadError } from '@fairlead/shared/contract/errors';

export interface Choice {
  readonly instance?: string;
  readonly repo?: string;
}

const same = async (one: string, other: string): Promise<boolean> => {
  const [a, b] = await Promise.all([one, other].map((path) => realpath(path).catch(() => path)));
  return a === b;
};

/**
 * The instance that a command names by its id or by the path of its repository.
 * @throws FairleadError `invalid_input` unless exactly one of the two is given, `not_found`
 */
export const chosenInstance = async ({ instance, repo }: Choice, operator: Client): Promise<string> => {
  if ((instance === undefined) === (repo === undefined)) {
    throw new FairleadError('invalid_input', {
      field: 'instance',
      rule: 'exactly one of --instance and --repo',
      detail: 'Give either --instance or --repo',
    });
  }
  if (instance !== undefined) return instance;
  const { items } = await operator.call('list_instances', {});
  for (const { id, path } of items) if (path !== undefined && (await same(path, repo!))) return id;
  throw new FairleadError('not_found', {
    detail: 'No instance of the daemon has its repository there',
    hint: 'Register it first: fairlead add PATH.',
  });
};
