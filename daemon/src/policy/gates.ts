import { GATE_REASONS, type GateReason } from '@fairlead/shared/contract/project-policy';
import type { FenceFinding } from '@fairlead/shared/contract/resources';
import type { EffectivePolicy } from './effective.ts';
import { isAlwaysProtected } from './protected.ts';

interface GateFacts {
  /** Whether anything was changed: where nothing was, there is nothing to hold. */
  readonly changed: boolean;
  readonly findings: readonly FenceFinding[];
  /** Whether the connector's credential asked for the step. */
  readonly remote: boolean;
  readonly effective: Pick<EffectivePolicy, 'source' | 'gates'>;
}

const RULES: Readonly<Record<string, GateReason>> = {
  protected: 'protected',
  dependencies: 'dependencies',
  migrations: 'migrations',
  size_soft: 'size',
};

/**
 * Why a gate must hold this change; empty when none must. What the owner's `gates.when` lists opens one. These open one
 * whatever it lists: a change to what checks judge by, one to `.fairlead/**`, a task that asks for it, and a project without policy.
 */
export const gateReasons = ({ changed, findings, remote, effective }: GateFacts): GateReason[] => {
  if (!changed) return [];
  const when = new Set(effective.gates.when);
  const reasons = new Set<GateReason>();
  if (when.has('always')) reasons.add('always');
  if (remote && when.has('remote')) reasons.add('remote');
  if (effective.gates.task) reasons.add('task');
  if (effective.source === 'none') reasons.add('no_validations');
  for (const { rule, path } of findings) {
    const reason = RULES[rule];
    if (reason && when.has(reason)) reasons.add(reason);
    if (rule === 'judge_changed') reasons.add('judge_changed');
    if (path !== null && isAlwaysProtected(path)) reasons.add('protected');
  }
  return GATE_REASONS.filter((reason) => reasons.has(reason));
};
