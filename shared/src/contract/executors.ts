import * as z from 'zod';
import { APPROVAL_MODES, CONFINEMENTS } from './states.ts';

export const EXECUTOR_KINDS = ['patch', 'command', 'simulation', 'claude', 'codex', 'acp'] as const;
export type ExecutorKind = (typeof EXECUTOR_KINDS)[number];

/** What an operator's profile holds an agent to. A planner picks a profile by name and cannot widen it. */
export const ExecutorLimits = z.object({
  model: z.string().nullable(),
  approval: z.enum(APPROVAL_MODES).describe('What happens to requests that no rule settles'),
  network: z.array(z.string()).describe('Hosts beside its model that it may reach; "*" is every public host'),
  time_ms: z.number().int().nullable(),
  tokens: z.number().int().nullable(),
  cost_usd: z.number().nullable(),
  turns: z.number().int().nullable(),
  resumes: z.boolean().describe('Whether a later attempt can go on with its session'),
});
export type ExecutorLimits = z.infer<typeof ExecutorLimits>;

export const ExecutorInfo = z.object({
  id: z.string(),
  kind: z.enum(EXECUTOR_KINDS),
  description: z.string(),
  available: z.boolean(),
  reason: z.string().nullable().describe('Why not, when not available'),
  checked: z.string().describe('How availability was found out'),
  version: z.string().nullable().describe('What the program says of itself; null where there is no program'),
  signed_in: z
    .enum(['yes', 'no', 'unknown', 'not_needed'])
    .describe('Whether it can reach its model, as far as that can be told without spending a call'),
  limits: ExecutorLimits.nullable().describe('What its profile holds it to; null where it has none'),
  confinement: z.enum(CONFINEMENTS).nullable(),
  simulated: z.boolean(),
  default: z.boolean(),
});
export type ExecutorInfo = z.infer<typeof ExecutorInfo>;
