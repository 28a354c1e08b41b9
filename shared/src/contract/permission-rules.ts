import * as z from 'zod';
import { LIMITS } from './limits.ts';
import { Pattern } from './task.ts';

/** A name or name pattern of a tool: literals, `?` and `*`, as in `mcp__docs__*`. */
const ToolPattern = z
  .string()
  .min(1)
  .max(LIMITS.pattern.value)
  .regex(/^[^\p{Cc}\s/]+$/u, { error: 'must be the name of a tool, in which * stands for any text; no blanks and no /' });

/** The beginning of an argv: words with one blank between, in each of which `*` stands for any text. */
const CommandPattern = z
  .string()
  .min(1)
  .max(LIMITS.pattern.value)
  .regex(/^[^\p{Cc}\s]+(?: [^\p{Cc}\s]+)*$/u, { error: 'must be words with one blank between them and none around them' })
  .refine((value) => !/["'`\\$;&|<>(){}]/.test(value), {
    error: 'must be plain words, the beginning of an argv: no quotes and nothing that a shell would read',
  })
  .refine((value) => !/^[*?]+( |$)/.test(value), { error: 'must name a program: the first word cannot be * alone' });

const Rule = z
  .strictObject({
    tool: ToolPattern.optional().describe("The agent's own name of the tool"),
    command: CommandPattern.optional().describe('The words with which the argv begins: "npm test", "git log *"'),
    path: Pattern.optional().describe('A path of the workspace that the tool touches'),
    reason: z.string().min(1).max(LIMITS.title.value).optional().describe('Shown with the decision'),
  })
  .refine(({ tool, command, path }) => tool !== undefined || command !== undefined || path !== undefined, {
    error: 'must name at least one of tool, command and path; a rule that names none would match everything',
  });
export type PermissionRule = z.infer<typeof Rule>;

/**
 * The owner's own permission rules. Every key that a rule has must match. A deny rule wins over everything. An allow rule takes the place of
 * a person where one would be asked, and of a built-in denial that is not absolute: with `command` for a command, with `path` for protected
 * paths, with `tool` alone for what is said of the tool as such. It widens neither the fence nor the network, and nothing in `read_only` mode.
 */
export const PermissionRules = z.strictObject({
  allow: z.array(Rule).max(LIMITS.list.value).default([]),
  deny: z.array(Rule).max(LIMITS.list.value).default([]),
});
export type PermissionRules = z.infer<typeof PermissionRules>;
