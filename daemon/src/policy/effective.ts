import { FairleadError } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { DEFAULT_JUDGES, type GateReason, type ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import type { PolicyView } from '@fairlead/shared/contract/resources';
import { durationMs, type TaskSpec } from '@fairlead/shared/contract/task';
import { digestOf } from '../core/digest.ts';
import { refusePaths } from './project-policy.ts';

/** The owner's policy for an instance, and where it was read from. */
export interface OwnerPolicy {
  readonly source: 'policy_ref' | 'daemon_config' | 'none';
  readonly ref: string | null;
  readonly commit: string | null;
  readonly policy: ProjectPolicy;
}

export interface EffectiveValidation {
  readonly name: string;
  readonly run: readonly string[];
  readonly timeout_ms: number;
  readonly required: boolean;
  readonly judges: readonly string[];
}

/** What holds for one step: the owner's policy, tightened by the task. Plain JSON; its digest covers everything else in it. */
export interface EffectivePolicy {
  readonly source: OwnerPolicy['source'];
  readonly ref: string | null;
  readonly commit: string | null;
  /** Required validations and the optional ones that the task named, in the policy's order; then those that a local task brought. */
  readonly validations: readonly EffectiveValidation[];
  readonly fence: {
    /** A path must match a pattern of every list: the owner's, and the task's where it gave one. */
    readonly allowed: readonly (readonly string[])[];
    readonly forbidden: readonly string[];
    /** The owner's own, beside those protected by default. */
    readonly protected: readonly string[];
    /** Soft limits: a gate opens above them. The hard ones are in the limits table. */
    readonly files: number;
    readonly lines: number;
  };
  readonly gates: {
    readonly when: readonly GateReason[];
    /** The task asked for a gate. */
    readonly task: boolean;
    readonly self_approval: boolean;
    readonly integrate_on_approval: boolean;
  };
  readonly provision: ProjectPolicy['provision'];
  readonly timeout_ms: number;
  readonly digest: string;
}

/** How long one attempt of a task may take. @throws FairleadError `invalid_input` above the longest step */
export const taskTimeoutMs = (task: Pick<TaskSpec, 'timeout'>): number => {
  const ms = task.timeout === undefined ? LIMITS.step_timeout_default.value : durationMs(task.timeout);
  const longest = LIMITS.step_timeout_max.value;
  if (ms > longest) {
    throw new FairleadError('invalid_input', {
      field: 'task.timeout',
      rule: `must be at most ${longest / 3_600_000}h`,
      detail: `task.timeout is longer than ${longest / 3_600_000} hours`,
    });
  }
  return ms;
};

const declared = (policy: ProjectPolicy, name: string): EffectiveValidation => {
  const { run, timeout, required, judges } = policy.validations[name]!;
  return {
    name,
    run,
    timeout_ms: timeout === undefined ? LIMITS.validation_timeout.value : durationMs(timeout),
    required,
    judges: judges ?? DEFAULT_JUDGES,
  };
};

/** @throws FairleadError `validation_unknown` that names those there are, `invalid_input` for a name that is taken */
const effectiveValidations = (policy: ProjectPolicy, task: Pick<TaskSpec, 'validations'>): EffectiveValidation[] => {
  const named = new Set<string>();
  const brought: EffectiveValidation[] = [];
  for (const [index, validation] of task.validations.entries()) {
    const field = `task.validations[${index}]`;
    if (typeof validation === 'string') {
      if (!Object.hasOwn(policy.validations, validation)) {
        const available = Object.keys(policy.validations);
        throw new FairleadError('validation_unknown', {
          field,
          rule: 'must be declared by the project policy',
          detail: `The project policy declares no validation ${validation}`,
          hint: available.length > 0 ? `Name one of: ${available.join(', ')}` : 'The project policy declares none; leave the list empty.',
          more: { available },
        });
      }
      named.add(validation);
    } else if (Object.hasOwn(policy.validations, validation.name) || brought.some(({ name }) => name === validation.name)) {
      throw new FairleadError('invalid_input', {
        field: `${field}.name`,
        rule: 'must be a new name',
        detail: `There is a validation ${validation.name} already`,
      });
    } else {
      const timeout_ms = validation.timeout === undefined ? LIMITS.validation_timeout.value : durationMs(validation.timeout);
      brought.push({ name: validation.name, run: validation.run, timeout_ms, required: true, judges: DEFAULT_JUDGES });
    }
  }
  const chosen = Object.keys(policy.validations).filter((name) => policy.validations[name]!.required || named.has(name));
  return [...chosen.map((name) => declared(policy, name)), ...brought];
};

/**
 * Tightens the owner's policy by a task. Whatever the task says, the answer allows nothing that the owner's does not.
 * @throws FairleadError `validation_unknown`, `invalid_input`, `project_policy_invalid`
 */
export const effectivePolicy = (owner: OwnerPolicy, task: TaskSpec): EffectivePolicy => {
  const { policy } = owner;
  refusePaths(policy);
  const body = {
    source: owner.source,
    ref: owner.ref,
    commit: owner.commit,
    validations: effectiveValidations(policy, task),
    fence: {
      allowed: task.allowed_paths.length > 0 ? [policy.fence.allowed, task.allowed_paths] : [policy.fence.allowed],
      forbidden: [...policy.fence.forbidden, ...task.forbidden_paths],
      protected: policy.fence.protected,
      files: policy.fence.files,
      lines: policy.fence.lines,
    },
    gates: {
      when: policy.gates.when,
      task: task.gate === 'always',
      self_approval: policy.gates.self_approval,
      integrate_on_approval: policy.gates.integrate_on_approval,
    },
    provision: policy.provision,
    timeout_ms: taskTimeoutMs(task),
  };
  return { ...body, digest: digestOf(body) };
};

/**
 * Whether two effective policies say the same, whatever commit they were read from: a policy ref that is a branch with code on it
 * moves without a change to the rules.
 */
export const sameRules = (one: EffectivePolicy, other: EffectivePolicy): boolean => {
  const rules = ({ commit: _commit, digest: _digest, ...body }: EffectivePolicy) => digestOf(body);
  return one.digest === other.digest || rules(one) === rules(other);
};

/** The owner's policy as `get_instance` shows it. @param problem why it is invalid, when it is; `owner` then holds the default */
export const policyView = (owner: OwnerPolicy, problem: string | null = null): PolicyView => {
  const { policy } = owner;
  return {
    source: owner.source,
    ref: owner.ref,
    commit: owner.commit,
    digest: digestOf(policy),
    problem,
    validations: Object.entries(policy.validations).map(([name, { required, run }]) => ({ name, required, argv: run })),
    fence: policy.fence,
    gates: policy.gates,
  };
};
