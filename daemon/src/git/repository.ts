import { FairleadError } from '@fairlead/shared/contract/errors';

export type ObjectFormat = 'sha1' | 'sha256';

/** A repository of the user, named by absolute folders, so that git never searches for one. */
export interface Repository {
  /** Absolute git folder of the work tree that was named (a linked work tree has one of its own). */
  readonly git_dir: string;
  /** Absolute folder that holds refs and objects. */
  readonly common_dir: string;
  /** Absolute, or null for a bare repository. */
  readonly work_tree: string | null;
  readonly object_format: ObjectFormat;
}

/** What `inspectRepository` found. */
export interface RepositoryFacts extends Repository {
  readonly bare: boolean;
  readonly shallow: boolean;
  /** HEAD names a commit and no branch. */
  readonly detached: boolean;
  /** Tracked files differ from HEAD. Not an obstacle for `add`; a dirty checked-out target refuses integration. */
  readonly dirty: boolean;
  /** `refs/heads/…` that HEAD names, or null when detached. */
  readonly head_ref: string | null;
  readonly head_commit: string;
  /** Full names of all branches, with their tips. */
  readonly branches: readonly { readonly ref: string; readonly commit: string }[];
  /** `refs/heads/main` of `origin/HEAD`, else HEAD's branch, else the only or first branch. */
  readonly default_branch: string;
  /** Of the configured `origin`, as it stands there; it may hold a password, so only its digest may travel. */
  readonly origin_url: string | null;
}

/**
 * Looks at a repository that the owner names. Runs nothing of it, and changes nothing in it.
 * @throws FairleadError `repository_invalid`, `repository_empty`, `repository_unsupported` (LFS, filters, partial clones)
 */
export const inspectRepository = async (path: string): Promise<RepositoryFacts> => {
  throw new FairleadError('internal', { detail: `not yet: ${path}` });
};

/**
 * The present tips of full ref names, in one git process; a ref that is missing or names no commit is absent from the answer.
 * @throws FairleadError `repository_invalid` when the repository cannot be read any more
 */
export const readTips = async (repository: Repository, refs: readonly string[]): Promise<ReadonlyMap<string, string>> => {
  throw new FairleadError('internal', { detail: `not yet: ${repository.git_dir} ${refs.length}` });
};
