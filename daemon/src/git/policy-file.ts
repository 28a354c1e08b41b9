import { FairleadError } from '@fairlead/shared/contract/errors';
import { readBlobs } from './blobs.ts';
import { runGit } from './git.ts';
import type { Store } from './store.ts';

/** Where the owner's policy lies in a repository. */
export const POLICY_PATH = '.fairlead/project.yaml';

const LARGEST = 256 * 1024;
const REMEMBERED = 64;
const remembered = new WeakMap<Store, Map<string, Buffer | null>>();

const invalid = (rule: string): FairleadError =>
  new FairleadError('project_policy_invalid', { field: POLICY_PATH, rule, detail: `${POLICY_PATH} ${rule}` });

const read = async (store: Store, commit: string): Promise<Buffer | null> => {
  const { stdout } = await runGit({ git_dir: store.folder, args: ['ls-tree', '-z', '-l', '--full-tree', commit, '--', POLICY_PATH] });
  if (stdout.length === 0) return null;
  const [mode, type, id, size] = stdout.toString('latin1').split(/[ \t]+/);
  if (type !== 'blob' || !mode?.startsWith('100')) throw invalid('must be a plain file');
  if (Number(size) > LARGEST) throw invalid(`must not be larger than ${LARGEST} bytes`);
  const bytes = (await readBlobs(store, [id!])).get(id!);
  if (!bytes) throw new FairleadError('internal', { detail: 'The store lacks the policy file of a commit that it has' });
  return Buffer.from(bytes);
};

/**
 * The bytes of the policy file at a commit that the store has, or null when there is none. A commit never changes, so answers are
 * remembered and a second call runs nothing. @throws FairleadError `project_policy_invalid` when it is no plain file or too large
 */
export const readPolicyFile = async (store: Store, commit: string): Promise<Buffer | null> => {
  const known = remembered.get(store) ?? new Map<string, Buffer | null>();
  remembered.set(store, known);
  const had = known.get(commit);
  if (had !== undefined) return had;
  const bytes = await read(store, commit);
  if (known.size >= REMEMBERED) known.delete(known.keys().next().value!);
  known.set(commit, bytes);
  return bytes;
};
