import * as z from 'zod';
import { TOOL_KINDS } from './activity.ts';
import { AttemptId, ChangeId, GateId, InstanceId, StepId } from './ids.ts';
import { GATE_REASONS } from './project-policy.ts';
import { AUTHORITIES, GATE_KINDS, GATE_STATES } from './states.ts';
import { Commit, Digest, Principal, Time } from './values.ts';

/** What a gate of kind change holds: one change, and where it would land as what. */
export const GateBinding = z.object({
  instance_id: InstanceId,
  step_id: StepId,
  base_commit: Commit,
  target_ref: z.string(),
  target_commit: Commit,
  resulting_tree: Commit,
  diff_digest: Digest,
  validation_digests: z.array(Digest),
  policy_digest: Digest,
});
export type GateBinding = z.infer<typeof GateBinding>;

/** One command of what an agent asks for, as it was parsed. All of it is untrusted text with hidden characters made visible. */
export const ShownCommand = z.object({
  argv: z.array(z.string()),
  assignments: z.array(z.string()).describe('NAME=value before the command'),
  redirects: z.array(z.string()),
  cwd: z.string().nullable().describe('Where it would run, if that can be told; null is the workspace'),
  runs: z.array(z.string()).describe('Files of the workspace that it would execute'),
});
export type ShownCommand = z.infer<typeof ShownCommand>;

/** What a gate of kind permission holds: one request of an agent, and the workspace files that it would execute. */
export const PermissionBinding = z.object({
  instance_id: InstanceId,
  step_id: StepId,
  executor: z.string(),
  tool: z.string().describe("The agent's own name of the tool. Untrusted"),
  tool_kind: z.enum(TOOL_KINDS),
  rule: z.string().describe('The rule that asks a person'),
  reason: z.string(),
  commands: z.array(ShownCommand).describe('What would run, parsed'),
  reads: z.array(z.string()),
  writes: z.array(z.string()),
  urls: z.array(z.string()),
  diff: z.string().nullable().describe('What an edit would change. Untrusted'),
  input: z.string().describe('The whole input of the tool as JSON, hidden characters made visible'),
  input_digest: Digest.describe('Of the input as the agent sent it'),
  files: z
    .array(z.object({ path: z.string(), digest: Digest.nullable() }))
    .describe('Workspace files that it would execute, as they were; looked at again before it may go on'),
  policy_digest: Digest,
});
export type PermissionBinding = z.infer<typeof PermissionBinding>;

export const Gate = z.object({
  id: GateId,
  kind: z.enum(GATE_KINDS).describe('change: finished work before it lands; permission: something that an agent at work asks for'),
  step_id: StepId,
  attempt_id: AttemptId.nullable().describe('The attempt that asked; for kind permission'),
  change_id: ChangeId.nullable().describe('For kind change'),
  state: z.enum(GATE_STATES),
  reasons: z.array(z.enum(GATE_REASONS)),
  digest: Digest.describe('Name this digest when you approve: it binds the decision to what you saw'),
  binding: GateBinding.nullable().describe('For kind change'),
  permission: PermissionBinding.nullable().describe('For kind permission'),
  opened_at: Time,
  expires_at: Time,
  decided_at: Time.nullable(),
  decided_by: Principal.nullable(),
  authority: z.enum(AUTHORITIES).nullable(),
  comment: z.string().nullable(),
});
export type Gate = z.infer<typeof Gate>;
