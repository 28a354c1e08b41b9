import { FairleadError, invalidInput } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { lstatSync, readFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { parseStrictYaml } from '@fairlead/shared/contract/yaml';
import { SETTING_SOURCES, Settings, type SettingName } from './settings.ts';

export interface Provenance {
  readonly key: SettingName;
  readonly value: unknown;
  /** Such as `flag --port`, `environment FAIRLEAD_PORT`, `file`, `default`. */
  readonly source: string;
}

export interface Config {
  readonly settings: Settings;
  /** One row for each setting, in the order of the schema. */
  readonly provenance: readonly Provenance[];
}

export interface ConfigSources {
  /** The path of config.yaml; it need not exist. */
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By setting name, as the flags of `serve` gave them: text, not read yet. */
  readonly flags: Readonly<Record<string, string | undefined>>;
}

const NAMES = Object.keys(SETTING_SOURCES) as SettingName[];

const bad = (detail: string, field?: string, rule?: string, cause?: unknown): never => {
  throw new FairleadError('config_invalid', {
    detail,
    ...(field !== undefined && { field }),
    ...(rule !== undefined && { rule }),
    ...(cause !== undefined && { cause }),
  });
};

/** The text of the file, or undefined where there is none. A file that is there and cannot be read is an error. */
const readText = (file: string): string | undefined => {
  try {
    if (lstatSync(file).size > LIMITS.request_body.value) bad(`${file} is larger than ${LIMITS.request_body.value} bytes`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    if (error instanceof FairleadError) throw error;
    return bad(`${file} cannot be read: ${(error as Error).message}`, undefined, undefined, error);
  }
};

const readFile = (file: string): Record<string, unknown> => {
  const text = readText(file);
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = parseStrictYaml(text);
  } catch (error) {
    const { rule = 'must be YAML', detail = String(error) } = error instanceof FairleadError ? error.context : {};
    return bad(`${file}: ${detail}`, undefined, rule, error);
  }
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) return bad(`${file} must hold a mapping of settings`);
  return value as Record<string, unknown>;
};

/** Reads the text of a variable or a flag. Text that does not fit stays text, so that the schema names the rule. */
const readWord = (text: string, how: string | undefined): unknown => {
  if (how === 'number') return /^\d+$/.test(text) ? Number(text) : text;
  if (how === 'boolean') return { '1': true, true: true, '0': false, false: false }[text] ?? text;
  if (how === 'list')
    return text
      .split(',')
      .map((item) => item.trim())
      .filter(Boolean);
  if (how === 'paths') return text.split(delimiter).filter(Boolean);
  return text;
};

/**
 * Reads the configuration: flag over environment over file over default, and keeps where each value came from.
 * @throws FairleadError `config_invalid` that names the source, the field and the rule
 */
export const loadConfig = ({ file, env, flags }: ConfigSources): Config => {
  const values: Record<string, unknown> = readFile(file);
  const sources = new Map(Object.keys(values).map((key) => [key, `file ${file}`]));
  for (const name of NAMES) {
    const facts = SETTING_SOURCES[name];
    const fromEnv = facts.env === undefined ? undefined : env[facts.env];
    const fromFlag = flags[name];
    const text = fromFlag ?? (fromEnv === '' ? undefined : fromEnv);
    if (text === undefined) continue;
    values[name] = readWord(text, facts.read);
    sources.set(name, fromFlag === undefined ? `environment ${facts.env}` : `flag ${facts.flag}`);
  }
  const result = Settings.safeParse(values);
  if (!result.success) {
    const { field = '', rule = '', detail = '' } = invalidInput(result.error, '', Settings).context;
    const top = field.split(/[.[]/)[0]!;
    return bad(`${sources.get(top) ?? 'settings'}: ${detail}`, field, rule, result.error);
  }
  return {
    settings: result.data,
    provenance: NAMES.map((key) => ({ key, value: result.data[key], source: sources.get(key) ?? 'default' })),
  };
};
