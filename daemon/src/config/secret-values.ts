import { FairleadError } from '@fairlead/shared/contract/errors';
import { readFileSync } from 'node:fs';
import type { Settings } from './settings.ts';

/** Shorter values would mask ordinary words. */
const SHORTEST = 6;

/**
 * The secret values that the redactor masks, from the variables and files that the operator named. A file counts whole and
 * line by line, and for `NAME=value` lines by their values.
 * @throws FairleadError `config_invalid` when a named file cannot be read: an unread secret would go out unmasked
 */
export const secretValues = (secrets: Settings['secrets'], env: Readonly<Record<string, string | undefined>>): string[] => {
  const values = new Set<string>();
  const add = (text: string | undefined) => {
    const value = text?.trim() ?? '';
    if (value.length >= SHORTEST) values.add(value);
  };
  for (const name of secrets.env) add(env[name]);
  for (const file of secrets.files) {
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (cause) {
      throw new FairleadError('config_invalid', {
        field: 'secrets.files',
        detail: `secrets.files: ${file} cannot be read`,
        rule: 'must be readable files',
        cause,
      });
    }
    add(text);
    for (const line of text.split('\n')) {
      add(line);
      add(/^\s*(?:export\s+)?[A-Za-z_][A-Za-z0-9_]*=(.*)$/.exec(line)?.[1]?.replace(/^(['"])(.*)\1$/, '$2'));
    }
  }
  return [...values];
};
