import { open, rm, stat } from 'node:fs/promises';
import { FairleadError, invalidInput } from '@fairlead/shared/contract/errors';
import { InstanceId } from '@fairlead/shared/contract/ids';
import { parseStrictJson } from '@fairlead/shared/contract/json';
import { Delegation } from '@fairlead/shared/contract/operations/daemon-admin';
import { Grant } from '@fairlead/shared/contract/resources';
import { asStorageError, ensurePrivateFolder, writeFileAtomic } from '@fairlead/shared/kit/atomic-file';
import { systemClock } from '@fairlead/shared/kit/clock';
import { readSecretFile } from '@fairlead/shared/kit/secret';
import * as z from 'zod';
import type { Files } from '../config/files.ts';

/** What the daemon said about an instance when it was shared or renewed. All of it may leave the machine. */
const Descriptor = z.strictObject({
  label: z.string(),
  machine: z.string(),
  default_branch: z.string(),
  executors: z.array(z.string()),
  origin_digest: z.string().nullable(),
});

export const ShareRecord = z.strictObject({
  instance_id: InstanceId,
  descriptor: Descriptor,
  /** A copy; what counts is the daemon's. Loose, because the digest covers members that only a newer daemon knows. */
  grant: Grant.loose(),
  delegation: Delegation,
  daemon: z.strictObject({ url: z.url(), home: z.string().nullable().describe('Where the daemon tells its address anew after a restart') }),
  connector_token: z.string().regex(/^flc_[A-Za-z0-9_-]{43}$/),
});
export type ShareRecord = z.infer<typeof ShareRecord>;

const ShareFile = z.strictObject({ version: z.literal(1), shares: z.array(ShareRecord).max(1000) });

/**
 * Reads what is shared. A missing file shares nothing.
 * @throws FairleadError `config_invalid` when the file cannot be read as what it is, `secret_exposed` when others can read it
 */
export const readShares = async (files: Files): Promise<ShareRecord[]> => {
  let text: string;
  try {
    text = await readSecretFile(files.shares);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  let json: unknown;
  try {
    json = parseStrictJson(text);
  } catch {
    throw new FairleadError('config_invalid', { detail: 'shares.json is not acceptable JSON' });
  }
  const read = ShareFile.safeParse(json);
  if (!read.success) {
    const { field, rule } = invalidInput(read.error).context;
    throw new FairleadError('config_invalid', {
      detail: `shares.json: ${field ?? 'the document'}: ${rule ?? 'is not valid'}`,
      ...(field !== undefined && { field }),
    });
  }
  const ids = new Set(read.data.shares.map((share) => share.instance_id));
  if (ids.size !== read.data.shares.length) throw new FairleadError('config_invalid', { detail: 'shares.json names an instance twice' });
  return read.data.shares;
};

/** A lock older than this was left by a process that died: a change of the file takes milliseconds. */
const STALE_LOCK = 10_000;

const withLock = async <T>(files: Files, body: () => Promise<T>): Promise<T> => {
  await ensurePrivateFolder(files.home);
  for (;;) {
    try {
      await (await open(files.sharesLock, 'wx', 0o600)).close();
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw asStorageError(error);
    }
    const held = await stat(files.sharesLock).catch(() => undefined);
    if (held && systemClock.now() - held.mtimeMs > STALE_LOCK) await rm(files.sharesLock, { force: true });
    else await systemClock.sleep(20);
  }
  try {
    return await body();
  } finally {
    await rm(files.sharesLock, { force: true });
  }
};

/**
 * Changes what is shared. The command line and the running connector both do, so each reads, changes and writes under one lock.
 * @throws FairleadError as readShares does
 */
export const changeShares = (files: Files, change: (shares: ShareRecord[]) => ShareRecord[]): Promise<void> =>
  withLock(files, async () => {
    const shares = change(await readShares(files));
    await writeFileAtomic(files.shares, `${JSON.stringify({ version: 1, shares }, null, 2)}\n`);
  });

/** How much larger than now the file may become by one share, in bytes. */
const ROOM = 64 * 1024;

/**
 * Makes sure that a share could be written down. It is asked before a grant is made: one that cannot be kept would have taken the place of the
 * former one already, and nothing would be shared any more.
 * @throws FairleadError `disk_full`, `store_unwritable`, and as readShares does
 */
export const ensureRoom = (files: Files): Promise<void> =>
  withLock(files, async () => {
    const { length } = JSON.stringify(await readShares(files), null, 2);
    const trial = `${files.shares}.trial`;
    await writeFileAtomic(trial, Buffer.alloc(length + ROOM));
    await rm(trial, { force: true });
  });

/** The list with one share put in the place of an older one of the same instance, or at the end. */
export const withShare = (shares: readonly ShareRecord[], share: ShareRecord): ShareRecord[] => {
  const others = shares.map((each) => (each.instance_id === share.instance_id ? share : each));
  return others.includes(share) ? others : [...others, share];
};
