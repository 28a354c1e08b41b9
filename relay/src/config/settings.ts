import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { FairleadError, invalidInput } from '@fairlead/shared/contract/errors';
import { parseStrictJson } from '@fairlead/shared/contract/json';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { LOG_LEVELS } from '@fairlead/shared/kit/log';
import * as z from 'zod';

/** The relay's home: `relay/` in $FAIRLEAD_HOME, which is `~/.fairlead` unless said otherwise. */
export interface Home {
  readonly folder: string;
  readonly database: string;
  readonly key: string;
  readonly adminToken: string;
  readonly endpoint: string;
  readonly config: string;
  readonly lock: string;
}

export const relayHome = (base: string | undefined): Home => {
  const folder = path.join(path.resolve(base ?? process.env['FAIRLEAD_HOME'] ?? path.join(os.homedir(), '.fairlead')), 'relay');
  const at = (name: string) => path.join(folder, name);
  return {
    folder,
    database: at('relay.db'),
    key: at('relay.key'),
    adminToken: at('admin.token'),
    endpoint: at('endpoint.json'),
    config: at('config.json'),
    lock: at('relay.lock'),
  };
};

const Origin = z
  .string()
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).origin === text, {
    error: 'must be an origin, such as https://relay.example',
  });

const Settings = z.strictObject({
  host: z.string().min(1).max(255).default('127.0.0.1'),
  port: z.int().min(0).max(65_535).default(8090),
  /** The public origin, where a proxy serves the relay under another name. */
  origin: Origin.optional(),
  /** Further Host names that requests may carry. */
  allowed_hosts: z.array(z.string().min(1).max(255)).max(100).default([]),
  /** Web pages that may call the API and MCP. */
  allowed_origins: z.array(Origin).max(100).default([]),
  /** Requests per minute of one planner token. */
  planner_rate: z.int().positive().max(100_000_000).default(LIMITS.planner_rate.value),
  /** How many days a row of the audit is kept. */
  audit_days: z.int().positive().max(36_500).default(LIMITS.audit_days.value),
  log: z.enum(LOG_LEVELS).default('info'),
});
export type Settings = z.output<typeof Settings>;

/** What the command line said; undefined members fall through to the environment, the file and the default. */
export type Flags = { readonly [K in keyof Settings]?: Settings[K] | undefined };

const fromFile = async (file: string): Promise<Record<string, unknown>> => {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new FairleadError('config_invalid', { detail: `${file} cannot be read.`, cause: error });
  }
  try {
    const value = parseStrictJson(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch (cause) {
    throw new FairleadError('config_invalid', { detail: `${file}: ${(cause as Error).message}`, cause });
  }
  throw new FairleadError('config_invalid', { detail: `${file} must hold a JSON object.` });
};

const fromEnvironment = (): Record<string, unknown> => {
  const { FAIRLEAD_RELAY_HOST, FAIRLEAD_RELAY_PORT, FAIRLEAD_RELAY_ORIGIN, FAIRLEAD_RELAY_PLANNER_RATE, FAIRLEAD_LOG } = process.env;
  // An empty variable is as good as none; as a number it would be port 0.
  const text = (value: string | undefined) => (value === '' ? undefined : value);
  const number = (value: string | undefined) => (text(value) === undefined ? undefined : Number(value));
  return {
    host: text(FAIRLEAD_RELAY_HOST),
    port: number(FAIRLEAD_RELAY_PORT),
    origin: text(FAIRLEAD_RELAY_ORIGIN),
    planner_rate: number(FAIRLEAD_RELAY_PLANNER_RATE),
    log: text(FAIRLEAD_LOG),
  };
};

const defined = (from: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(from).filter(([, value]) => value !== undefined));

/** The settings in force: flag over environment over file over default. @throws FairleadError `config_invalid` that names the field */
export const loadSettings = async (home: Home, flags: Flags = {}): Promise<Settings> => {
  const result = Settings.safeParse({ ...(await fromFile(home.config)), ...defined(fromEnvironment()), ...defined(flags) });
  if (result.success) return result.data;
  throw new FairleadError('config_invalid', invalidInput(result.error).context);
};

/** Where the admin CLI finds the relay unless a flag says: FAIRLEAD_RELAY_URL and FAIRLEAD_RELAY_TOKEN. */
export const relayFromEnvironment = (): { url: string | undefined; token: string | undefined; noColour: boolean } => ({
  url: process.env['FAIRLEAD_RELAY_URL'],
  token: process.env['FAIRLEAD_RELAY_TOKEN'],
  noColour: (process.env['NO_COLOR'] ?? '') !== '',
});
