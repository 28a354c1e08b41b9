import { InstanceId } from '@fairlead/shared/contract/ids';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import { Duration, ValidationName } from '@fairlead/shared/contract/task';
import { availableParallelism } from 'node:os';
import { isAbsolute } from 'node:path';
import * as z from 'zod';
import { AgentName, AgentSettings } from './agent-settings.ts';

const Folder = z.string().min(1).max(4096).refine(isAbsolute, { error: 'must be an absolute path' });
const Argv = z.array(z.string().min(1).max(4096)).min(1).max(64);

/** A command that the operator declared. It is reached as the executor `command.<name>`; no task ever carries its argv. */
export const CommandSpec = z.strictObject({
  run: Argv.describe('argv; no shell reads it'),
  timeout: Duration.optional(),
  description: z.string().max(LIMITS.title.value).default(''),
});
export type CommandSpec = z.infer<typeof CommandSpec>;

/** Where the values are that must never stand in an output: names of environment variables, and files read whole. */
const SecretSources = z.strictObject({
  env: z
    .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: 'must be the name of an environment variable' }))
    .max(LIMITS.list.value)
    .default([]),
  files: z.array(Folder).max(LIMITS.list.value).default([]),
});

const InstanceOverride = z.strictObject({
  policy: ProjectPolicy.optional().describe('Wins over .fairlead/project.yaml of this instance'),
});

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** Checkouts that are made ahead of need. */
const PoolSettings = z.strictObject({
  folders_per_instance: z.number().int().min(0).max(64).default(2).describe('0: every checkout is made when it is needed'),
  disk: z
    .number()
    .int()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER)
    .default(2 * 1024 * 1024 * 1024)
    .describe('Bytes that all of them together may take'),
});

/**
 * Every setting of the daemon. Strict: a misspelt key is an error. The machine's label travels to the relay, so its default
 * is a plain word and never the host's name.
 */
export const Settings = z.strictObject({
  host: z.string().min(1).max(253).default('127.0.0.1'),
  port: z.number().int().min(0).max(65_535).default(8085),
  parallelism: z
    .number()
    .int()
    .min(1)
    .max(256)
    .prefault(() => availableParallelism()),
  machine: z
    .string()
    .min(1)
    .max(100)
    .regex(/^[^\p{Cc}]*$/u, { error: 'must be one line without control characters' })
    .default('machine'),
  allow_local_argv: z.boolean().default(false),
  toolchain_folders: z.array(Folder).max(LIMITS.list.value).default([]),
  allowed_hosts: z.array(z.string().min(1).max(253)).max(LIMITS.list.value).default([]),
  commands: z.record(ValidationName, CommandSpec).default({}),
  agents: z.record(AgentName, AgentSettings).default({}),
  secrets: SecretSources.prefault({}),
  pool: PoolSettings.prefault({}),
  instances: z.record(InstanceId, InstanceOverride).default({}),
  log: z.enum(LOG_LEVELS).default('info'),
});
export type Settings = z.infer<typeof Settings>;
export type SettingName = keyof Settings;

interface SettingFacts {
  /** The environment variable, for settings that are one word. */
  readonly env?: string;
  /** The flag of `fairlead serve`. */
  readonly flag?: string;
  /** How the text of a variable or flag becomes a value. */
  readonly read?: 'number' | 'boolean' | 'list' | 'paths';
}

/** How each setting can be given besides in config.yaml. */
export const SETTING_SOURCES: { readonly [K in SettingName]: SettingFacts } = {
  host: { env: 'FAIRLEAD_HOST', flag: '--host' },
  port: { env: 'FAIRLEAD_PORT', flag: '--port', read: 'number' },
  parallelism: { env: 'FAIRLEAD_PARALLELISM', flag: '--parallelism', read: 'number' },
  machine: { env: 'FAIRLEAD_MACHINE', flag: '--machine' },
  allow_local_argv: { env: 'FAIRLEAD_ALLOW_LOCAL_ARGV', read: 'boolean' },
  toolchain_folders: { env: 'FAIRLEAD_TOOLCHAIN_FOLDERS', read: 'paths' },
  allowed_hosts: { env: 'FAIRLEAD_ALLOWED_HOSTS', read: 'list' },
  commands: {},
  agents: {},
  secrets: {},
  pool: {},
  instances: {},
  log: { env: 'FAIRLEAD_LOG', flag: '--log' },
};
