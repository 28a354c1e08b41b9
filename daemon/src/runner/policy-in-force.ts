import { FairleadError } from '@fairlead/shared/contract/errors';
import type { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import type { InstanceRecord } from '../core/records.ts';
import { POLICY_PATH, readPolicyFile } from '../git/policy-file.ts';
import type { OwnerPolicy } from '../policy/effective.ts';
import { defaultProjectPolicy, parseProjectPolicy } from '../policy/project-policy.ts';
import type { Ground } from './grounds.ts';

/** Says in which file of which commit the policy is that could not be read. */
const placed = (error: unknown, ref: string, commit: string | null): unknown => {
  if (!(error instanceof FairleadError)) return error;
  const where = `${POLICY_PATH} at ${ref} (${commit?.slice(0, 12)})`;
  const { more, ...context } = error.context;
  return new FairleadError(error.code, {
    ...context,
    detail: `${where}: ${error.message}`,
    more: { ...more, file: POLICY_PATH, ref, commit },
  });
};

/**
 * The owner's policy: the daemon's own config for the instance, which wins, else the file at the tip of the policy ref, else the
 * defaults, which declare no validations and let every change open a gate. Never read from a base or a workspace.
 * @param tips present tips of the user's repository, the policy ref's among them, all of them in the store
 * @throws FairleadError `project_policy_invalid`
 */
export const ownerPolicyOf = async (
  ground: Ground,
  instance: Pick<InstanceRecord, 'policy_ref'>,
  tips: ReadonlyMap<string, string>,
  override: ProjectPolicy | undefined,
): Promise<OwnerPolicy> => {
  if (override) return { source: 'daemon_config', ref: null, commit: null, policy: override };
  const ref = instance.policy_ref;
  const commit = tips.get(ref) ?? null;
  const bytes = commit === null ? null : await readPolicyFile(ground.store, commit);
  if (bytes === null) return { source: 'none', ref, commit, policy: defaultProjectPolicy() };
  try {
    return { source: 'policy_ref', ref, commit, policy: parseProjectPolicy(bytes.toString('utf8')) };
  } catch (error) {
    throw placed(error, ref, commit);
  }
};
