import { mintSecret, readSecretFile, secretMatches, hashSecret, writeSecretFile } from '@fairlead/shared/kit/secret';

/** Answers whether a presented secret is the admin token. */
export type AdminCheck = (secret: string) => boolean;

/**
 * Loads the admin token from the relay's home, or makes it at the first start. The admin CLI reads the same file.
 * @throws FairleadError `secret_exposed` when others can read it
 */
export const loadAdminToken = async (file: string): Promise<AdminCheck> => {
  let secret: string;
  try {
    secret = await readSecretFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    secret = mintSecret('fla');
    await writeSecretFile(file, secret);
  }
  const hash = hashSecret(secret);
  return (presented) => secretMatches(hash, presented);
};
