import { hash, timingSafeEqual } from 'node:crypto';
import { open } from 'node:fs/promises';
import { FairleadError } from '../contract/errors.ts';
import { writeFileAtomic } from './atomic-file.ts';
import { randomBytes } from './clock.ts';

/** What a secret is for can be read from its first letters: operator, connector, admin, planner, enrolment. */
export const SECRET_PREFIXES = ['flo', 'flc', 'fla', 'flp', 'fle'] as const;
export type SecretPrefix = (typeof SECRET_PREFIXES)[number];

/** A new secret: its prefix and 256 random bits as base64url. */
export const mintSecret = (prefix: SecretPrefix): string => `${prefix}_${randomBytes(32).toString('base64url')}`;

/** What is stored of a secret that is only verified. A plain hash is enough, because minted secrets cannot be guessed. */
export const hashSecret = (secret: string): string => hash('sha256', secret, 'hex');

/** Whether a presented secret is the hashed one, in a time that tells nothing about it. */
export const secretMatches = (stored: string, secret: string): boolean => {
  const expected = Buffer.from(stored, 'hex');
  const presented = hash('sha256', secret, 'buffer');
  return expected.length === presented.length && timingSafeEqual(expected, presented);
};

/**
 * Reads a secret from a file that only its owner can read. The file is checked through the handle it is read from, so that it
 * cannot be swapped in between. A missing file throws the system's own error.
 * @throws FairleadError `secret_exposed`
 */
export const readSecretFile = async (file: string): Promise<string> => {
  const handle = await open(file, 'r');
  try {
    const { mode } = await handle.stat();
    if ((mode & 0o077) !== 0) {
      throw new FairleadError('secret_exposed', {
        detail: `${file} has permissions ${(mode & 0o777).toString(8)}; others can read it.`,
        hint: `Run chmod 600 '${file}', and replace the secret if others may have read it.`,
        rule: 'a file that holds a secret has permissions 600',
      });
    }
    return (await handle.readFile('utf8')).trim();
  } finally {
    await handle.close();
  }
};

/** Writes a secret to a file with permissions 600. */
export const writeSecretFile = (file: string, secret: string): Promise<void> => writeFileAtomic(file, `${secret}\n`, 0o600);
