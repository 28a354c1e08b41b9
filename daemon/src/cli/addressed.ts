import { FairleadError } from '@fairlead/shared/contract/errors';
import type { InstanceSummary } from '@fairlead/shared/contract/resources';
import { existsSync, realpathSync } from 'node:fs';
import { resolve, sep } from 'node:path';
import type { CliContext } from './context.ts';

const real = (path: string): string => {
  try {
    return realpathSync(resolve(path));
  } catch {
    return resolve(path);
  }
};

const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`);

/** The instances that a word may mean: an id or its beginning, a label, or a path in its repository. */
const meant = (word: string, all: readonly InstanceSummary[]): InstanceSummary[] => {
  const exact = all.filter((one) => one.id === word);
  if (exact.length > 0) return exact;
  const named = all.filter((one) => one.label === word || (word.length >= 8 && one.id.startsWith(word)));
  if (named.length > 0) return named;
  // Only a path that is there: a misspelt label must not come to mean the repository of the folder one stands in.
  if (!existsSync(word)) return [];
  const path = real(word);
  return all.filter((one) => one.path !== undefined && isWithin(path, real(one.path)));
};

/**
 * The instance that a command is about: the one that was named, else the one whose repository holds the current folder, else the
 * only one there is.
 * @throws FairleadError `not_found`, or `invalid_input` when it is not clear which
 */
export const addressedInstance = async (context: CliContext, word: string | undefined): Promise<InstanceSummary> => {
  const { items } = await context.ask('list_instances', {});
  const fitting = meant(word ?? process.cwd(), items);
  const found = fitting.length === 0 && word === undefined ? items : fitting;
  if (found.length === 1) return found[0]!;
  const available = items.map((one) => `${one.label} (${one.id})`);
  if (items.length === 0)
    throw new FairleadError('not_found', { detail: 'No repository is registered', hint: 'Register one: fairlead add PATH' });
  if (found.length === 0)
    throw new FairleadError('not_found', { detail: `No instance is called ${word}`, hint: `There are: ${available.join(', ')}` });
  throw new FairleadError('invalid_input', {
    field: 'instance',
    rule: 'must mean one instance',
    detail: 'It is not clear which instance is meant',
    hint: `Name one with --instance: ${available.join(', ')}`,
  });
};
