import { HostPattern } from '@fairlead/shared/contract/host-pattern';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { PermissionRules } from '@fairlead/shared/contract/permission-rules';
import { APPROVAL_MODES } from '@fairlead/shared/contract/states';
import { Duration } from '@fairlead/shared/contract/task';
import { isAbsolute } from 'node:path';
import * as z from 'zod';

const Variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: 'must be the name of an environment variable' });
const File = z.string().min(1).max(4096).refine(isAbsolute, { error: 'must be an absolute path' });

/** What an agent's work may use up. It is stopped where it uses more. */
const AgentBudget = z.strictObject({
  time: Duration.optional(),
  tokens: z.number().int().positive().optional().describe('Input and output together, as the agent reports them'),
  cost_usd: z.number().positive().optional(),
  turns: z.number().int().positive().optional().describe('Answers of the model'),
});

/** What an attempt may take of the machine. It is stopped where it takes more; what is left out is as for every other program. */
const AgentLimits = z.strictObject({
  processes: z.number().int().positive().optional().describe('At the same time'),
  memory: z.number().int().positive().optional().describe('Bytes of all its processes together'),
  disk: z.number().int().positive().optional().describe('Bytes in its workspace, its home and its temporary folder'),
});

/** Where the credential is that our gateway adds. The agent never holds it. */
const Credential = z
  .strictObject({ env: Variable.optional(), file: File.optional() })
  .refine(({ env, file }) => (env === undefined) !== (file === undefined), { error: 'must name exactly one of env and file' });

export const AgentProfileSpec = z.strictObject({
  model: z.string().min(1).max(200).optional(),
  approval: z.enum(APPROVAL_MODES).default('ask').describe('What happens to requests that no rule settles'),
  network: z
    .union([z.literal('none'), z.literal('open'), z.array(HostPattern).min(1).max(LIMITS.list.value)])
    .default('none')
    .describe('Hosts beside its model that it may reach, through a proxy that refuses private addresses'),
  credential: Credential.optional(),
  base_url: z.url().optional().describe('Where its model is, in place of the vendor'),
  budget: AgentBudget.prefault({}),
  limits: AgentLimits.prefault({}),
  permission_timeout: Duration.optional().describe('How long a person has to decide; nobody deciding denies'),
  env: z.array(Variable).max(LIMITS.list.value).default([]).describe('Variables of the daemon that it may have'),
  rules: PermissionRules.prefault({}),
});
export type AgentProfileSpec = z.infer<typeof AgentProfileSpec>;

const ProfileName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, { error: 'must be a profile name: lower-case letters, digits, _ and -' });

/** A path below a home, in its plain form. */
const BelowHome = z
  .string()
  .min(1)
  .max(500)
  .refine((path) => !isAbsolute(path) && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..'), {
    error: 'must be a path below your home, without . and ..',
  });

export const AgentSettings = z.strictObject({
  program: z.string().min(1).max(4096).optional().describe('A name on PATH or an absolute path'),
  args: z.array(z.string().max(4096)).max(64).optional().describe('For an agent of your own: how it starts to speak ACP'),
  title: z.string().min(1).max(LIMITS.title.value).optional(),
  login: z.array(BelowHome).max(20).optional().describe('For an agent of your own: files below your home that it signs in with'),
  hosts: z.array(HostPattern).max(LIMITS.list.value).optional().describe('For an agent of your own: hosts that its model needs'),
  profiles: z.record(ProfileName, AgentProfileSpec).default({}),
});
export type AgentSettings = z.infer<typeof AgentSettings>;

export const AgentName = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,31}$/, { error: 'must be an agent name: lower-case letters, digits, _ and -' });
