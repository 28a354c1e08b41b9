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

/** Values of a copied file are secrets or ordinary words, and nobody says which: shorter ones and plain words are left alone. */
const SHORTEST_COPIED = 8;
const ORDINARY = /^(?:[a-z]{1,11}|\d{1,11}|[\s\p{P}\p{S}]*)$/u;
/** Longer ones would hold back every output for as long. */
const LONGEST_COPIED = 1024;
const ASSIGNED = /^\s*(?:export\s+|-\s+)?["']?[\w.-]+["']?\s*[:=]\s*(.*?)\s*,?\s*$/;

/**
 * What stands for a secret in a file that provisioning copies: the value of each `NAME=value`, `name: value` or `"name": "value"`, and
 * each line that is no such thing, as in a key or a token file.
 */
export const copiedValues = (text: string): string[] => {
  const values = new Set<string>();
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*#/.test(line)) continue;
    const assigned = ASSIGNED.exec(line)?.[1];
    const value = (assigned ?? line).trim().replace(/^(['"])(.*)\1$/, '$2');
    if (value.length >= SHORTEST_COPIED && value.length <= LONGEST_COPIED && !ORDINARY.test(value)) values.add(value);
  }
  return [...values];
};
