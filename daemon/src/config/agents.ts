import { readFileSync, statSync } from 'node:fs';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { durationMs } from '@fairlead/shared/contract/task';
import type { AgentProfileSpec } from './agent-settings.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** A profile with its secrets read. */
export interface ReadProfile {
  readonly name: string;
  readonly model: string | undefined;
  readonly approval: AgentProfileSpec['approval'];
  readonly network: AgentProfileSpec['network'];
  readonly budget: { readonly tokens?: number; readonly cost_usd?: number; readonly turns?: number };
  readonly limits: { readonly processes?: number; readonly memory?: number; readonly disk?: number };
  readonly time_ms: number | undefined;
  readonly permission_ms: number;
  readonly rules: AgentProfileSpec['rules'];
  readonly base_url: string | undefined;
  readonly secret: string | undefined;
  readonly env: Readonly<Record<string, string>>;
}

const fileSecret = (file: string, field: string): string => {
  try {
    if ((statSync(file).mode & 0o077) !== 0)
      throw new FairleadError('secret_exposed', { field, detail: `${field}: others can read ${file}`, hint: `chmod 600 ${file}` });
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    if (cause instanceof FairleadError) throw cause;
    throw new FairleadError('config_invalid', {
      field,
      detail: `${field}: ${file} cannot be read`,
      rule: 'must be a readable file',
      cause,
    });
  }
};

/**
 * Reads what a profile names. Its credential is what it says; without a word, the variable in which an operator usually keeps it.
 * @param field where in the config it stands @param usual the name of that variable
 * @throws FairleadError `config_invalid`, `secret_exposed`
 */
export const readProfile = (
  name: string,
  spec: AgentProfileSpec,
  env: Environment,
  field: string,
  usual: string | undefined,
): ReadProfile => {
  const { credential, budget, limits } = spec;
  const variable = credential?.env ?? (credential ? undefined : usual);
  const given =
    credential?.file === undefined
      ? variable === undefined
        ? undefined
        : env[variable]?.trim()
      : fileSecret(credential.file, `${field}.credential.file`);
  if (credential && !given)
    throw new FairleadError('config_invalid', {
      field: `${field}.credential`,
      rule: 'must name a credential that is there',
      detail: `${field}.credential: ${credential.env ?? credential.file} is empty`,
      hint: 'Set it in the environment of the daemon, or name a file that holds it and nothing else.',
    });
  const passed = spec.env.flatMap((one) => (env[one] === undefined ? [] : [[one, env[one]] as const]));
  return {
    name,
    model: spec.model,
    approval: spec.approval,
    network: spec.network,
    budget: {
      ...(budget.tokens !== undefined && { tokens: budget.tokens }),
      ...(budget.cost_usd !== undefined && { cost_usd: budget.cost_usd }),
      ...(budget.turns !== undefined && { turns: budget.turns }),
    },
    limits: {
      ...(limits.processes !== undefined && { processes: limits.processes }),
      ...(limits.memory !== undefined && { memory: limits.memory }),
      ...(limits.disk !== undefined && { disk: limits.disk }),
    },
    time_ms: budget.time === undefined ? undefined : durationMs(budget.time),
    permission_ms: spec.permission_timeout === undefined ? LIMITS.permission_wait.value : durationMs(spec.permission_timeout),
    rules: spec.rules,
    base_url: spec.base_url,
    secret: given === '' ? undefined : given,
    env: Object.fromEntries(passed),
  };
};
