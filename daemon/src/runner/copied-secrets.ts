import { constants } from 'node:fs';
import { lstat, open, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import type { EffectivePolicy } from '../policy/effective.ts';
import type { Redactor } from '../process/redactor.ts';
import type { Ground } from './grounds.ts';

/** Larger files are data; a secret is small. In bytes. */
const LARGEST = 64 * 1024;
/** More values would slow every output down. */
const MOST_VALUES = 300;
/** How many entries of copied folders are looked at. */
const MOST_ENTRIES = 20_000;
/** In a copied folder, which may well be all of `node_modules`, only files with such names are taken for secrets. */
const SECRET_NAME =
  /^(?:\.env(?:\..*)?|\.envrc|\.netrc|\.npmrc|\.pypirc|id_[a-z0-9]+|.*\.(?:env|pem|key|p8|secret|token)|.*(?:secret|credential|password|token)s?(?:\.[a-z]+)?)$/i;

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

const textOf = async (path: string): Promise<string> => {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => undefined);
  try {
    const facts = await file?.stat();
    return file && facts?.isFile() && facts.size <= LARGEST ? await file.readFile('utf8') : '';
  } finally {
    await file?.close();
  }
};

/** Files below a folder whose names say that they hold secrets. Links are not followed. */
const secretFiles = async (folder: string): Promise<string[]> => {
  const found: string[] = [];
  const open = [folder];
  for (let seen = 0, at = open.pop(); at !== undefined && seen < MOST_ENTRIES; at = open.pop()) {
    for await (const entry of await opendir(at)) {
      seen += 1;
      if (entry.isDirectory()) open.push(join(at, entry.name));
      else if (entry.isFile() && SECRET_NAME.test(entry.name)) found.push(join(at, entry.name));
    }
  }
  return found;
};

/** What an attempt's outputs pass through. */
export interface Redactors {
  readonly redactor: Redactor;
  /** For what programs print: it masks the places of this machine too. */
  readonly printed: Redactor;
}

/**
 * Redactors that also know what `provision.copy` and `provision.mount` bring into a checkout: an `.env` that the owner lets checks have is not for those who
 * read their output. A file that is named counts whatever its name; of a folder, files whose names say that they hold secrets. Both only
 * up to a size.
 */
export const withCopiedSecrets = async <D extends Redactors>(
  deps: D,
  { work_tree }: Ground['repository'],
  { provision }: Pick<EffectivePolicy, 'provision'>,
): Promise<D> => {
  // A policy that an earlier release stored with an attempt knows no mounts.
  const mounts: EffectivePolicy['provision']['mount'] | undefined = provision.mount;
  const brought = [...provision.copy, ...(mounts ?? []).map(({ path }) => path)];
  if (work_tree === null || brought.length === 0) return deps;
  const values = new Set<string>();
  for (const declared of brought) {
    const path = join(work_tree, declared);
    const kind = await lstat(path).catch(() => undefined);
    const files = kind?.isDirectory() ? await secretFiles(path) : kind?.isFile() ? [path] : [];
    for (const file of files) {
      if (values.size >= MOST_VALUES) break;
      for (const value of copiedValues(await textOf(file))) values.add(value);
    }
  }
  const known = [...values].slice(0, MOST_VALUES);
  return { ...deps, redactor: deps.redactor.also(known), printed: deps.printed.also(known) };
};
