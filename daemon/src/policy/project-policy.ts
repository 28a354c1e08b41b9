import { FairleadError, invalidInput } from '@fairlead/shared/contract/errors';
import { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import { parseDocument } from 'yaml';

const invalid = (field: string | undefined, rule: string, detail: string): FairleadError =>
  new FairleadError('project_policy_invalid', { ...(field !== undefined && { field }), rule, detail });

/**
 * Refuses what the schema has room for and this release cannot do.
 * @throws FairleadError `project_policy_invalid`
 */
export const refuseUnsupported = (policy: ProjectPolicy): void => {
  if (policy.provision.network.length > 0) {
    throw invalid(
      'provision.network',
      'must be empty',
      'provision.network names hosts, but this release has no restricted network: provisioning runs without any. Leave the list empty.',
    );
  }
};

/**
 * Reads `.fairlead/project.yaml`, strictly.
 * @throws FairleadError `project_policy_invalid` that names the field and the rule, or the line; a bad file never means "no checks"
 */
export const parseProjectPolicy = (text: string): ProjectPolicy => {
  const document = parseDocument(text, { uniqueKeys: true, strict: true, merge: false, prettyErrors: true });
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem) throw invalid(undefined, 'must be YAML', problem.message.split('\n')[0]!);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 20 });
  } catch (error) {
    throw invalid(undefined, 'must be plain YAML', error instanceof Error ? error.message : String(error));
  }
  const result = ProjectPolicy.safeParse(value);
  if (!result.success) {
    const { field, rule, detail } = invalidInput(result.error).context;
    throw invalid(field, rule ?? 'must fit the schema', detail ?? 'The project policy does not fit the schema');
  }
  refuseUnsupported(result.data);
  return result.data;
};

/** What holds where the owner wrote no policy: no validations, the default fence, and every change opens a gate (`gates.ts`). */
export const defaultProjectPolicy = (): ProjectPolicy => ProjectPolicy.parse({ version: 1 });
