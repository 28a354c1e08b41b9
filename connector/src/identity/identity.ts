import { FairleadError, invalidInput } from '@fairlead/shared/contract/errors';
import { ConnectorId } from '@fairlead/shared/contract/ids';
import { parseStrictJson } from '@fairlead/shared/contract/json';
import { PublicKey } from '@fairlead/shared/contract/operations/daemon-admin';
import { rename, rm } from 'node:fs/promises';
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
  return { ...read.data, keys: await keysFor(read.data.key, files) };
};

/** The pair that was enrolled. While a key is being changed it may still be stored beside the old one. @throws FairleadError `config_invalid` */
const keysFor = async (publicKey: string, files: Files): Promise<KeyPair> => {
  let found = false;
  for (const file of [files.key, files.nextKey]) {
    if ((await readOrNothing(file)) === undefined) continue;
    found = true;
    const keys = await loadOrCreateKey(file);
    if (keys.publicKey === publicKey) return keys;
  }
  throw invalid(found ? 'connector.key is not the key that was enrolled' : 'connector.key is missing');
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
  await rm(files.nextKey, { force: true });
  await writeSecretFile(files.key, keys.privateKey);
  await writeFileAtomic(files.identity, `${JSON.stringify(about, null, 2)}\n`);
};

/** The key that is to take the place of this one: what an earlier attempt stored, or a new one. It is on the disk before anybody hears of it. */
export const nextKey = async (files: Files): Promise<KeyPair> => {
  await ensurePrivateFolder(files.home);
  return loadOrCreateKey(files.nextKey);
};

/** Makes the next key the one of the identity, in one step: the old key stays beside it until `finishNextKey`, and opens nothing. */
export const commitNextKey = async (files: Files, { keys: _former, ...about }: Identity, keys: KeyPair): Promise<Identity> => {
  const changed = { ...about, key: keys.publicKey };
  await writeFileAtomic(files.identity, `${JSON.stringify(changed, null, 2)}\n`);
  return { ...changed, keys };
};

/** Ends a change of the key: the new one takes the old one's file. */
export const finishNextKey = (files: Files): Promise<void> => rename(files.nextKey, files.key);

/** Forgets the identity. What says that there is one goes first: what a crash leaves behind is then no identity, and enrolling writes over it. */
export const removeIdentity = async (files: Files): Promise<void> => {
  for (const file of [files.identity, files.key, files.nextKey]) await rm(file, { force: true });
};
