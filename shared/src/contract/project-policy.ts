import * as z from 'zod';
import { HostPattern } from './host-pattern.ts';
import { LIMITS } from './limits.ts';
import { Duration, Pattern, ValidationName } from './task.ts';

const Patterns = z.array(Pattern).max(LIMITS.list.value);
const Argv = z.array(z.string().min(1).max(4096)).min(1).max(64);

export const GATE_REASONS = [
  'always',
  'remote',
  'protected',
  'dependencies',
  'migrations',
  'size',
  'no_validations',
  'judge_changed',
  'task',
  'permission',
] as const;
export type GateReason = (typeof GATE_REASONS)[number];

export const MOUNT_MODES = ['read_only', 'copy_on_write'] as const;

export const ValidationSpec = z.strictObject({
  run: Argv.describe('argv; no shell reads it'),
  timeout: Duration.optional(),
  required: z.boolean().default(true),
  judges: Patterns.optional().describe('What this check judges by. Default: tests, package scripts and check configs'),
});
export type ValidationSpec = z.infer<typeof ValidationSpec>;

/**
 * `.fairlead/project.yaml` at the policy ref, or the same document in the daemon's config for the instance, which then wins.
 * Strict: a bad file refuses the task; it never means "no checks".
 */
export const ProjectPolicy = z.strictObject({
  version: z.literal(1),
  validations: z.record(ValidationName, ValidationSpec).default({}),
  fence: z
    .strictObject({
      allowed: Patterns.default(['**']),
      forbidden: Patterns.default([]),
      protected: Patterns.default([]),
      files: z.number().int().positive().max(LIMITS.change_files_hard.value).default(LIMITS.change_files_soft.value),
      lines: z.number().int().positive().max(LIMITS.change_lines_hard.value).default(LIMITS.change_lines_soft.value),
    })
    .prefault({}),
  gates: z
    .strictObject({
      when: z
        .array(z.enum(['always', 'remote', 'protected', 'dependencies', 'migrations', 'size']))
        .default(['remote', 'protected', 'dependencies', 'migrations', 'size']),
      self_approval: z.boolean().default(false),
      integrate_on_approval: z.boolean().default(false),
    })
    .prefault({}),
  provision: z
    .strictObject({
      copy: z
        .array(z.string().min(1).max(LIMITS.pattern.value))
        .max(LIMITS.list.value)
        .default([])
        .describe('Untracked files of the repository to copy into each checkout'),
      mount: z
        .array(
          z.strictObject({
            path: z.string().min(1).max(LIMITS.pattern.value),
            mode: z
              .enum(MOUNT_MODES)
              .describe('read_only: the folder itself, which nothing can write to; copy_on_write: a private copy of it for each checkout'),
          }),
        )
        .max(LIMITS.list.value)
        .default([])
        .describe('Untracked folders of the repository, such as node_modules, that each checkout is to have'),
      post_create: Argv.optional().describe('argv that runs, confined, in each fresh checkout'),
      network: z
        .array(HostPattern)
        .max(LIMITS.list.value)
        .default([])
        .describe('Hosts that the post-create hook may reach, through a proxy that refuses private addresses'),
    })
    .prefault({}),
});
export type ProjectPolicy = z.infer<typeof ProjectPolicy>;

/** What the checks judge by unless a validation says so itself. A change to these never completes without a person. */
export const DEFAULT_JUDGES = [
  'test/**',
  'tests/**',
  '**/test/**',
  '**/tests/**',
  '**/__tests__/**',
  '**/*.test.*',
  '**/*.spec.*',
  '**/*_test.*',
  '**/test_*.py',
  'package.json',
  '**/package.json',
  'Makefile',
  '**/Makefile',
  'pyproject.toml',
  'setup.cfg',
  'tox.ini',
  'Cargo.toml',
  'go.mod',
  '**/vitest.config.*',
  '**/jest.config.*',
  '**/tsconfig*.json',
  '**/.eslintrc*',
  '**/eslint.config.*',
  '**/.mocharc*',
] as const;
