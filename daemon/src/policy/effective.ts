import type { GateReason, ProjectPolicy } from '@fairlead/shared/contract/project-policy';

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
  /** Required validations and the optional ones that the task named, in the policy's order. */
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
    readonly self_approval: boolean;
    readonly integrate_on_approval: boolean;
  };
  readonly provision: ProjectPolicy['provision'];
  readonly timeout_ms: number;
  readonly digest: string;
}
