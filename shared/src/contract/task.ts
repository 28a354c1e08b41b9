import * as z from 'zod';
import { LIMITS } from './limits.ts';
import { RunId } from './ids.ts';

const Text = z.string().max(LIMITS.text.value);
const Line = z
  .string()
  .min(1)
  .max(LIMITS.title.value)
  .regex(/^[^\p{Cc}]*$/u, { error: 'must be one line without control characters' });

/** A path pattern: literals, `?`, `*` (within one name) and `**` (across names), relative, forward slashes, case-sensitive. */
export const Pattern = z
  .string()
  .min(1)
  .max(LIMITS.pattern.value)
  .refine((value) => !/^[/!]|\\|\/\/|(^|\/)\.{1,2}(\/|$)|[\p{Cc}[\]{}]/u.test(value), {
    error: 'must be a relative path pattern of literals, ?, * and **; no leading / or !, no \\ [ ] { }, no . or .. segment',
  });

export const ValidationName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, { error: 'must be a validation name: lower-case letters, digits, _ and -' });

/** One flat id as `list_executors` prints it: `patch`, `command.<name>`, `simulation.<outcome>`, `claude.<profile>`. */
export const ExecutorId = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,31}(\.[a-z0-9][a-z0-9_-]{0,63})?$/, { error: 'must be an executor id, as list_executors prints it' });

/** `target` (the tip of the run's target branch), a step of the same run, or a full commit id that a listed branch reaches. */
export const Base = z.string().regex(/^(target|step_[a-z2-7]{10}_[0-9a-f-]{36}|[0-9a-f]{40}|[0-9a-f]{64})$/, {
  error: 'must be "target", a step id of the same run, or a full commit id',
});

/** Seconds, or a number with s, m or h: `90`, `"90s"`, `"10m"`, `"2h"`. */
export const Duration = z
  .union([
    z.number().int().positive(),
    z.string().regex(/^[1-9][0-9]{0,6}(ms|s|m|h)?$/, { error: 'must be seconds, or a number with ms, s, m or h' }),
  ])
  .describe('Seconds, or a number with ms, s, m or h');

/** A duration in milliseconds. */
export const durationMs = (value: number | string): number => {
  if (typeof value === 'number') return value * 1000;
  const [, count, unit = 's'] = /^(\d+)(ms|s|m|h)?$/.exec(value)!;
  return Number(count) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit as 'ms' | 's' | 'm' | 'h'];
};

/** An argv validation, accepted from a local caller only, and only where the daemon's config allows it. */
export const ArgvValidation = z.strictObject({
  name: ValidationName,
  run: z.array(z.string().min(1).max(4096)).min(1).max(64).describe('argv; no shell reads it'),
  timeout: Duration.optional(),
});

/**
 * TaskSpec v1: one concrete task. A task can only tighten what the owner's policy says, never widen it.
 * Strict: an unknown field is an error, because a misspelt fence would be no fence.
 */
export const TaskSpec = z.strictObject({
  version: z.literal('v1').default('v1'),
  run_id: RunId.optional().describe('If given, it must be the run that is addressed'),
  title: Line.optional().describe('One line; becomes the subject of the commit that lands'),
  goal: Text.min(1).optional().describe('What is to be achieved. Needed unless a patch says it all'),
  context: z.strictObject({ summary: Text }).optional(),
  constraints: z.array(Text).max(LIMITS.list.value).default([]),
  allowed_paths: z
    .array(Pattern)
    .max(LIMITS.list.value)
    .default([])
    .describe('Narrows what the change may touch; empty means: as far as the owner allows'),
  forbidden_paths: z
    .array(Pattern)
    .max(LIMITS.list.value)
    .default([])
    .describe('What the change must not touch, beyond what the owner forbids'),
  validations: z
    .array(z.union([ValidationName, ArgvValidation]))
    .max(LIMITS.list.value)
    .default([])
    .describe('Names of optional validations to run as well. Required ones always run'),
  acceptance: z.array(Text).max(LIMITS.list.value).default([]),
  stop_conditions: z.array(Text).max(LIMITS.list.value).default([]),
  base: Base.default('target'),
  executor: ExecutorId.optional().describe('Default: the one set when the instance was added'),
  fallback: z
    .array(ExecutorId)
    .max(8)
    .default([])
    .describe('Executors to go on with, in this order, when the one before has reached its limit. Without it the step waits'),
  expects: z
    .enum(['change', 'answer'])
    .optional()
    .describe('Whether work without a change is a failure. Default: change for agents; for other executors it is only a warning'),
  timeout: Duration.optional(),
  patch: z.string().min(1).max(LIMITS.patch.value).optional().describe('A unified diff against the base, as git diff prints it'),
  patch_base64: z.base64().max(LIMITS.patch.value).optional().describe('The same as base64, for bytes that are not UTF-8'),
  gate: z.literal('always').optional().describe('Asks for a gate even where the policy would not open one'),
});
export type TaskSpec = z.infer<typeof TaskSpec>;
export type TaskInput = z.input<typeof TaskSpec>;

/** Fields that planners know from similar systems, and what to use here instead. They are refused with this hint. */
export const FOREIGN_TASK_FIELDS: Readonly<Record<string, string>> = {
  adapter: 'Use executor.',
  adapter_profile: 'Use executor.',
  profile: 'Use executor, which names executor and profile in one id.',
  timeout_seconds: 'Use timeout, such as 600 or "10m".',
  policy_bundle: "The policy is the owner's .fairlead/project.yaml; a task cannot choose it.",
  is_simulation: 'Use executor simulation.<outcome>.',
  project_id: 'The instance in the address says which repository.',
  phase_id: 'There are no phases; a run has steps.',
  step_id: 'The daemon gives the step its id.',
  submission_provenance: 'The daemon records where a task came from.',
};
