import { homedir, hostname } from 'node:os';
import type { Problem } from '@fairlead/shared/contract/errors';

/** What stands where something of the machine stood. */
const MASK = '[machine]';

/** Shorter names, such as `pc`, are parts of ordinary words. */
const SHORTEST = 5;

const PRIVATE = [homedir(), hostname()].filter((text) => text.length >= SHORTEST);

/** Absolute paths, loopback addresses with a port, process ids in words, and every secret of ours by its form. */
const PATTERNS = [
  /\bfl[ocape]_[A-Za-z0-9_-]{43}/g,
  /(?<![\w.<:/])\/(?:home|root|Users|var|tmp|private|usr|opt|etc|mnt|srv|run|proc|dev)(?:\/[^\s"',;:)\]}]*)?/g,
  /\b(?:localhost|127(?:\.\d{1,3}){3}|\[::1\]):\d{1,5}\b/g,
  /\bpid \d+\b/gi,
];

const maskText = (text: string): string => {
  const known = PRIVATE.reduce((rest, secret) => rest.replaceAll(secret, MASK), text);
  return PATTERNS.reduce((rest, pattern) => rest.replace(pattern, MASK), known);
};

const mask = (value: unknown): unknown => {
  if (typeof value === 'string') return maskText(value);
  if (Array.isArray(value)) return value.map(mask);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, mask(member)]));
};

/**
 * A last look at a problem document before it leaves the machine. The daemon keeps such things out of what may travel; words that come from
 * the system or from git are where it could miss one.
 */
export const withoutMachine = (problem: Problem): Problem => mask(problem) as Problem;
