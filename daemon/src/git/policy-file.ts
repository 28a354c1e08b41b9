import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Store } from './store.ts';

/** Where the owner's policy lies in a repository. */
export const POLICY_PATH = '.fairlead/project.yaml';

/**
 * The bytes of the policy file at a commit that the store has, or null when there is none. A commit never changes, so answers are
 * remembered and a second call runs nothing. @throws FairleadError `project_policy_invalid` when it is no plain file or too large
 */
export const readPolicyFile = async (store: Store, commit: string): Promise<Buffer | null> => {
  throw new FairleadError('internal', { detail: `not yet: ${store.folder} ${commit}` });
};
