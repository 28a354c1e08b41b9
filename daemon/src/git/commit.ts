import { gitText, runGit } from './git.ts';
import type { Store } from './store.ts';

export interface CommitOrder {
  readonly tree: string;
  readonly parents: readonly string[];
  /** One line; control characters become spaces. Untrusted text, so it never becomes more than the subject. */
  readonly title: string;
  /** Written after the subject as git trailers, in order. */
  readonly trailers: readonly (readonly [name: string, value: string])[];
  /** Epoch ms. The same order with the same time gives the same commit, so that a stage may be done again. */
  readonly at: number;
  /** A full ref of the store that keeps the commit, such as `refs/fairlead/attempts/<attempt id>`. */
  readonly keep?: string;
}

const IDENTITY = { name: 'Fairlead', email: 'fairlead@localhost' };
const LONGEST_SUBJECT = 200;

const oneLine = (text: string): string =>
  text
    .replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
    .trim()
    .slice(0, LONGEST_SUBJECT)
    .toWellFormed();

/** The fixed form of every message: a subject, and trailers that only the daemon writes. */
export const messageOf = ({ title, trailers }: Pick<CommitOrder, 'title' | 'trailers'>): string => {
  const subject = oneLine(title) || 'Change by Fairlead';
  return trailers.length === 0
    ? `${subject}\n`
    : `${subject}\n\n${trailers.map(([name, value]) => `${name}: ${oneLine(value)}\n`).join('')}`;
};

const identityAt = (at: number): Record<string, string> => {
  const date = `@${Math.floor(at / 1000)} +0000`;
  return {
    GIT_AUTHOR_NAME: IDENTITY.name,
    GIT_AUTHOR_EMAIL: IDENTITY.email,
    GIT_AUTHOR_DATE: date,
    GIT_COMMITTER_NAME: IDENTITY.name,
    GIT_COMMITTER_EMAIL: IDENTITY.email,
    GIT_COMMITTER_DATE: date,
  };
};

/** Makes a commit by Fairlead's fixed identity in the store, and answers its id. Runs no hook and signs nothing. */
export const makeCommit = async (store: Store, order: CommitOrder): Promise<string> => {
  const parents = order.parents.flatMap((parent) => ['-p', parent]);
  const commit = await gitText({
    git_dir: store.folder,
    args: ['commit-tree', order.tree, ...parents, '-F', '-'],
    stdin: messageOf(order),
    identity: identityAt(order.at),
  });
  if (order.keep !== undefined) await runGit({ git_dir: store.folder, args: ['update-ref', '--no-deref', order.keep, commit] });
  return commit;
};

/** The tree of a commit that is in the store. */
export const treeOf = (store: Store, commit: string): Promise<string> =>
  gitText({ git_dir: store.folder, args: ['rev-parse', '--verify', `${commit}^{tree}`] });

/** Lets go of what a ref of the store kept. Missing refs are no error. */
export const dropRefs = async (store: Store, refs: readonly string[]): Promise<void> => {
  if (refs.length === 0) return;
  await runGit({
    git_dir: store.folder,
    args: ['update-ref', '--no-deref', '--stdin'],
    stdin: refs.map((ref) => `delete ${ref}\n`).join(''),
  });
};
