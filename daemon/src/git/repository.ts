import { realpath, stat } from 'node:fs/promises';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { gitWords, runGit } from './git.ts';
import { findFilter } from './filters.ts';
import { readGit, readText } from './reader.ts';
import { readSettings, withoutFilters, type Setting } from './settings.ts';

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
  /** The branch of `origin/HEAD`, else HEAD's, else the first. Null when there is no branch at all. */
  readonly default_branch: string | null;
  /** Of the configured `origin`, as it stands there; it may hold a password, so only its digest may travel. */
  readonly origin_url: string | null;
}

const invalid = (detail: string, more: { hint?: string; cause?: unknown } = {}): FairleadError =>
  new FairleadError('repository_invalid', { field: 'path', detail, ...more });

const realFolder = async (path: string): Promise<string> => {
  try {
    const real = await realpath(path);
    if ((await stat(real)).isDirectory()) return real;
  } catch (cause) {
    throw invalid(`${path} does not exist or cannot be read`, { cause });
  }
  throw invalid(`${path} is not a folder`);
};

const PLACE = [
  '--path-format=absolute',
  '--absolute-git-dir',
  '--git-common-dir',
  '--is-bare-repository',
  '--is-inside-work-tree',
  '--is-shallow-repository',
  '--show-object-format',
];

interface Place extends Repository {
  readonly bare: boolean;
  readonly shallow: boolean;
}

/** Finds the repository of a folder. */
const locate = async (path: string, folder: string): Promise<Place> => {
  const here = { git_dir: folder, search: true } as const;
  const { answer, code, words } = await readGit({ ...here, accept: [0, 1, 128] }, (git) => git.raw(['rev-parse', ...PLACE]));
  const [git_dir, common_dir, bare, inside, shallow, format] = answer.split('\n');
  if (code !== 0 || !git_dir || !common_dir) throw invalid(`${path} is not in a git repository: ${words}`);
  if (format !== 'sha1' && format !== 'sha256') {
    throw new FairleadError('repository_unsupported', { field: 'path', detail: `The repository uses the object format ${format}` });
  }
  if (bare !== 'true' && inside !== 'true')
    throw invalid(`${path} lies inside a git folder`, { hint: 'Give the path of the work tree or of a bare repository.' });
  const work_tree = bare === 'true' ? null : await readText(here, 'rev-parse', '--path-format=absolute', '--show-toplevel');
  return { git_dir, common_dir, work_tree, object_format: format, bare: bare === 'true', shallow: shallow === 'true' };
};

interface Refs {
  readonly branches: RepositoryFacts['branches'];
  readonly origin_head: string | undefined;
}

const FORMAT = '--format=%(refname)%09%(objectname)%09%(objecttype)%09%(symref)';

const readBranches = async (git_dir: string): Promise<Refs> => {
  const text = await readText({ git_dir }, 'for-each-ref', FORMAT, 'refs/heads', 'refs/remotes/origin/HEAD');
  const rows = text
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split('\t'));
  const branches = rows
    .filter(([ref, , type, symbolic]) => ref!.startsWith('refs/heads/') && type === 'commit' && !symbolic)
    .map(([ref, commit]) => ({ ref: ref!, commit: commit! }));
  const origin = rows.find(([ref]) => ref === 'refs/remotes/origin/HEAD')?.[3];
  return { branches, origin_head: origin?.replace(/^refs\/remotes\/origin\//, 'refs/heads/') };
};

const readHead = async (git_dir: string): Promise<{ ref: string | null; commit: string | null }> => {
  const [ref, commit] = await Promise.all([
    readText({ git_dir, accept: [0, 1] }, 'symbolic-ref', '-q', 'HEAD'),
    readText({ git_dir, accept: [0, 1, 128] }, 'rev-parse', '-q', '--verify', 'HEAD^{commit}'),
  ]);
  return { ref: ref || null, commit: commit || null };
};

const one = (settings: readonly Setting[], key: string): string | null =>
  settings.findLast((setting) => setting.key === key)?.value ?? null;

const refuseUnsupported = async (place: Place, settings: readonly Setting[], commit: string): Promise<void> => {
  const unsupported = (detail: string): FairleadError => new FairleadError('repository_unsupported', { field: 'path', detail });
  const partial = settings.some(
    ({ key, value }) => key === 'extensions.partialclone' || (/^remote\..*\.promisor$/s.test(key) && value !== 'false'),
  );
  if (partial) throw unsupported('The repository is a partial clone: objects are missing, and Fairlead never fetches');
  const filter = await findFilter(place, commit);
  if (filter) throw unsupported(`${filter.where} sets the attribute filter=${filter.name}${filter.name === 'lfs' ? ' (Git LFS)' : ''}`);
};

/** Whether tracked files differ from HEAD. Runs no filter, and writes nothing, not even the index. */
export const isDirty = async (repository: Repository, settings: readonly Setting[]): Promise<boolean> => {
  if (repository.work_tree === null) return false;
  const place = { git_dir: repository.git_dir, work_tree: repository.work_tree, config: withoutFilters(settings) };
  const { answer } = await readGit(place, (git) =>
    git.status(['--untracked-files=no', '--ignore-submodules=all', '--no-renames', '--no-ahead-behind']),
  );
  return !answer.isClean();
};

/**
 * Looks at a repository that the owner names. Runs nothing of it, and changes nothing in it.
 * @throws FairleadError `repository_invalid`, `repository_empty`, `repository_unsupported` (LFS, filters, partial clones)
 */
export const inspectRepository = async (path: string): Promise<RepositoryFacts> => {
  const place = await locate(path, await realFolder(path));
  const { git_dir } = place;
  const [refs, head, settings] = await Promise.all([readBranches(git_dir), readHead(git_dir), readSettings(place)]);
  const head_commit = head.commit ?? refs.branches[0]?.commit;
  if (head_commit === undefined) throw new FairleadError('repository_empty', { field: 'path', detail: `${path} has no commit` });
  await refuseUnsupported(place, settings, head_commit);
  const known = (ref: string | null | undefined): string | undefined => refs.branches.find((branch) => branch.ref === ref)?.ref;
  return {
    ...place,
    detached: head.ref === null,
    dirty: await isDirty(place, settings),
    head_ref: head.ref,
    head_commit,
    branches: refs.branches,
    default_branch: known(refs.origin_head) ?? known(head.ref) ?? refs.branches[0]?.ref ?? null,
    origin_url: one(settings, 'remote.origin.url'),
  };
};

/**
 * The present tips of full ref names, in one git process; a ref that is missing or names no commit is absent from the answer.
 * @throws FairleadError `repository_invalid` when the repository cannot be read any more
 */
export const readTips = async (repository: Repository, refs: readonly string[]): Promise<ReadonlyMap<string, string>> => {
  if (refs.length === 0) return new Map();
  const wanted = new Set(refs);
  const end = await runGit({
    git_dir: repository.git_dir,
    args: ['for-each-ref', FORMAT, '--', ...wanted],
    accept: [0, 128],
  }).catch((cause: unknown) => {
    throw invalid('The repository cannot be read', { cause });
  });
  if (end.code !== 0) throw invalid(`The repository cannot be read: ${gitWords(end.stderr)}`);
  const tips = new Map<string, string>();
  for (const line of end.stdout.toString('utf8').split('\n')) {
    const [ref, commit, type, symbolic] = line.split('\t');
    // A branch that only points to another one is left out: moving it would move that other one unseen.
    if (ref && commit && type === 'commit' && !symbolic && wanted.has(ref)) tips.set(ref, commit);
  }
  return tips;
};
