import { FairleadError, invalidInput } from '@fairlead/shared/contract/errors';
import { ProjectPolicy, ValidationSpec } from '@fairlead/shared/contract/project-policy';
import { parseStrictYaml } from '@fairlead/shared/contract/yaml';
import type { ZodError } from 'zod';
import { entersGit } from './link.ts';

const invalid = (field: string | undefined, rule: string, detail: string): FairleadError =>
  new FairleadError('project_policy_invalid', { ...(field !== undefined && { field }), rule, detail });

/**
 * Refuses paths that no checkout can have: they are looked at whole, which no pattern of the schema does.
 * @throws FairleadError `project_policy_invalid`
 */
export const refusePaths = (policy: ProjectPolicy): void => {
  const { copy, mount } = policy.provision;
  const paths = [
    ...copy.map((path, index) => ({ path, field: `provision.copy[${index}]` })),
    ...mount.map(({ path }, index) => ({ path, field: `provision.mount[${index}].path` })),
  ];
  for (const { path, field } of paths) {
    const parts = path.replace(/\/+$/, '').split('/');
    if (!path.includes('\0') && !entersGit(path) && !parts.some((part) => part === '' || part === '.' || part === '..')) continue;
    throw invalid(
      field,
      'must be a relative path inside the repository and not in .git',
      `${field}: ${path} is no path inside the repository`,
    );
  }
};

/** The names that may stand where one does that is not known. */
const namesAt = (path: readonly PropertyKey[]): string[] => {
  const [part] = path;
  const { shape } = ProjectPolicy;
  if (part === undefined) return Object.keys(shape);
  if (part === 'validations') return Object.keys(ValidationSpec.shape);
  return part === 'fence' || part === 'gates' || part === 'provision' ? Object.keys(shape[part].unwrap().shape) : [];
};

/** A name that is not known says more than what is missing because of it: `versoin: 1` has no version. */
const refusalOf = (error: ZodError): FairleadError => {
  const unknown = error.issues.find((issue) => issue.code === 'unrecognized_keys');
  if (unknown?.code === 'unrecognized_keys') {
    const field = [...unknown.path, unknown.keys[0]!].join('.');
    const names = namesAt(unknown.path).join(', ');
    return invalid(field, `must be one of: ${names}`, `${field} is not known; there are: ${names}`);
  }
  const { field, rule, detail } = invalidInput(error).context;
  return invalid(field, rule ?? 'must fit the schema', detail ?? 'The project policy does not fit the schema');
};

/**
 * Reads `.fairlead/project.yaml`, strictly.
 * @throws FairleadError `project_policy_invalid` that names the field and the rule, or the line; a bad file never means "no checks"
 */
export const parseProjectPolicy = (text: string): ProjectPolicy => {
  let value: unknown;
  try {
    value = parseStrictYaml(text, { aliases: 20 });
  } catch (error) {
    const { rule = 'must be YAML', detail = String(error) } = error instanceof FairleadError ? error.context : {};
    throw invalid(undefined, rule, detail);
  }
  const result = ProjectPolicy.safeParse(value);
  if (!result.success) throw refusalOf(result.error);
  refusePaths(result.data);
  return result.data;
};

/** What holds where the owner wrote no policy: no validations, the default fence, and every change opens a gate (`gates.ts`). */
export const defaultProjectPolicy = (): ProjectPolicy => ProjectPolicy.parse({ version: 1 });
