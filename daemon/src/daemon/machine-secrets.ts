import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { copiedValues } from '../runner/copied-secrets.ts';

/** Variables whose names say that they hold a secret. */
const SECRET_NAME = /(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$/i;
/** Shorter values are ordinary words, and paths are where a secret lies. */
const SHORTEST = 12;

/** Where a person keeps keys and sign-ins, below the home. */
const KEY_FILES = ['.netrc', '.npmrc', '.pypirc', '.aws/credentials', '.docker/config.json', '.config/gh/hosts.yml', '.git-credentials'];
const LARGEST = 64 * 1024;
/** More would slow every output down. */
const MOST = 200;

const textOf = (path: string): string => {
  try {
    const facts = lstatSync(path);
    return facts.isFile() && facts.size <= LARGEST ? readFileSync(path, 'utf8') : '';
  } catch {
    // Not there, or not ours to read: nothing that we start can read it either.
    return '';
  }
};

const stringsOf = (value: unknown): string[] => {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(stringsOf) : [];
};

/** A word with letters and digits; the names and addresses beside it have seldom both. */
const MIXED = /^(?=.*\d)(?=.*[A-Za-z])[^/]+$/;

/** The texts of a JSON file, and the values and mixed words of any other. */
const valuesIn = (text: string): string[] => {
  try {
    return stringsOf(JSON.parse(text)).filter((value) => MIXED.test(value));
  } catch {
    return copiedValues(text).flatMap((value) => [value, ...value.split(/[\s=]+/).filter((word) => MIXED.test(word))]);
  }
};

const privateKeys = (home: string): string[] => {
  try {
    return readdirSync(join(home, '.ssh'))
      .filter((name) => name.startsWith('id_') && !name.endsWith('.pub'))
      .map((name) => `.ssh/${name}`);
  } catch {
    return [];
  }
};

/**
 * Secret values of this machine that nobody had to name: what the daemon's environment calls a key or a token, and what lies in the usual
 * key and sign-in files of whoever runs it. A sandbox shows none of it to work; this is for work that has none, and for what a person pastes.
 * @param login sign-in files of agents, below the home
 */
export const machineSecrets = (env: Readonly<Record<string, string | undefined>>, home: string, login: readonly string[]): string[] => {
  const values = new Set<string>();
  for (const [name, value] of Object.entries(env)) {
    const text = value?.trim() ?? '';
    if (SECRET_NAME.test(name) && text.length >= SHORTEST && !text.startsWith('/')) values.add(text);
  }
  for (const path of [...KEY_FILES, ...login, ...privateKeys(home)])
    for (const value of valuesIn(textOf(join(home, path)))) if (value.length >= SHORTEST) values.add(value);
  return [...values].slice(0, MOST);
};
