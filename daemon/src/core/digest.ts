import { createHash } from 'node:crypto';
import { canonicalJson } from '@fairlead/shared/contract/json';
import type { GateBinding, PermissionBinding } from '@fairlead/shared/contract/gates';
import type { ValidationRecord } from './records.ts';

/** SHA-256 of text as `sha256:<hex>`. A pure function, so it may stand in core. */
export const sha256 = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

/** The digest of a thing of our own making: SHA-256 over its canonical JSON. */
export const digestOf = (value: unknown): string => sha256(canonicalJson(value));

/** What a decision on a gate names: the digest of all that the gate is bound to. */
export const gateDigest = (binding: GateBinding | PermissionBinding): string => digestOf(binding);

/** What a gate binds of a validation: what was checked, how, and what came of it. Times and captured output are left out. */
export const validationDigest = (validation: ValidationRecord): string =>
  digestOf({
    name: validation.name,
    phase: validation.phase,
    required: validation.required,
    passed: validation.passed,
    argv: validation.argv,
    exit_code: validation.exit_code,
    signal: validation.signal,
    timed_out: validation.timed_out,
    tree: validation.tree,
    confinement: validation.confinement,
  });
