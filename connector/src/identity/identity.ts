import { FairleadError, invalidInput } from '@fairlead/shared/contract/errors';
import { ConnectorId } from '@fairlead/shared/contract/ids';
import { parseStrictJson } from '@fairlead/shared/contract/json';
import { PublicKey } from '@fairlead/shared/contract/operations/daemon-admin';
import { ensurePrivateFolder, writeFileAtomic } from '@fairlead/shared/kit/atomic-file';
import { readSecretFile, writeSecretFile } from '@fairlead/shared/kit/secret';
import { loadOrCreateKey, type KeyPair } from '@fairlead/shared/kit/signature';
import * as z from 'zod';
import type { Files } from '../config/files.ts';

/** `config.json`: which relay this connector belongs to, and what it knows it by. Written by enrolment. */
const IdentityFile = z.strictObject({
  version: z.literal(1),
  connector_id: ConnectorId,
  label: z.string().min(1).max(100),
  relay: z.url().describe('The address that is dialled'),
  origin: z.url().describe('What the relay must call itself, byte for byte'),
  relay_key: PublicKey.describe('What the relay must prove'),
  key: PublicKey.describe('The public half of connector.key'),
  enrolled_at: z.string(),
});
export type IdentityFile = z.infer<typeof IdentityFile>;

export interface Identity extends IdentityFile {
  readonly keys: KeyPair;
}

const invalid = (detail: string, field?: string): FairleadError =>
  new FairleadError('config_invalid', { detail, hint: 'Enrol again: fairlead-connector enroll.', ...(field !== undefined && { field }) });

const readOrNothing = async (file: string): Promise<string | undefined> => {
  try {
    return await readSecretFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
};

/**
 * The identity of this connector, or `undefined` where it was never enrolled.
 * @throws FairleadError `config_invalid` when the files contradict each other, `secret_exposed` when others can read them
 */
export const readIdentity = async (files: Files): Promise<Identity | undefined> => {
  const text = await readOrNothing(files.identity);
  if (text === undefined) return undefined;
  let json: unknown;
  try {
    json = parseStrictJson(text);
  } catch {
    throw invalid('config.json is not acceptable JSON');
  }
  const read = IdentityFile.safeParse(json);
  if (!read.success) {
    const { field, rule } = invalidInput(read.error).context;
    throw invalid(`config.json: ${field ?? 'the document'}: ${rule ?? 'is not valid'}`, field);
  }
  if ((await readOrNothing(files.key)) === undefined) throw invalid('connector.key is missing');
  const keys = await loadOrCreateKey(files.key);
  if (keys.publicKey !== read.data.key) throw invalid('connector.key is not the key that was enrolled');
  return { ...read.data, keys };
};

/** The identity, where a command cannot go on without one. @throws FairleadError `config_invalid` */
export const requireIdentity = async (files: Files): Promise<Identity> => {
  const identity = await readIdentity(files);
  if (!identity) throw invalid('This connector is not enrolled with a relay');
  return identity;
};

/** Keeps a new identity. The key goes first: a crash in between leaves files that contradict each other and say so, never a mixed identity. */
export const writeIdentity = async (files: Files, { keys, ...about }: Identity): Promise<void> => {
  await ensurePrivateFolder(files.home);
  await writeSecretFile(files.key, keys.privateKey);
  await writeFileAtomic(files.identity, `${JSON.stringify(about, null, 2)}\n`);
};
