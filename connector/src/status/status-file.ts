import { readFile } from 'node:fs/promises';
import { ERROR_CODES } from '@fairlead/shared/contract/error-table';
import { ensurePrivateFolder, writeFileAtomic } from '@fairlead/shared/kit/atomic-file';
import * as z from 'zod';
import type { Files } from '../config/files.ts';

export const STATUS_WORDS = ['connecting', 'connected', 'verified', 'error', 'elsewhere', 'draining', 'stopped'] as const;

/** One shared instance as the running connector sees it. */
const SharedInstance = z.object({
  instance_id: z.string(),
  label: z.string(),
  state: z.enum(['served', 'refused']),
  /** Why it is refused. */
  code: z.enum(ERROR_CODES).nullable(),
  grant_expires_at: z.string(),
  proven_until: z.string().nullable(),
});
export type SharedInstance = z.infer<typeof SharedInstance>;

/** `status.json`: what the running connector is doing, written whenever that changes and never read by it. */
export const StatusFile = z.object({
  version: z.literal(1),
  state: z.enum(STATUS_WORDS),
  since: z.string(),
  connector_id: z.string(),
  relay: z.string(),
  session_id: z.string().nullable(),
  pid: z.number().int(),
  started_at: z.string(),
  last_error: z.object({ code: z.enum(ERROR_CODES), message: z.string(), at: z.string() }).nullable(),
  /** Milliseconds until the relay is dialled again, while it waits for that. */
  next_try_ms: z.number().nullable(),
  instances: z.array(SharedInstance),
});
export type StatusFile = z.infer<typeof StatusFile>;

/** What was last written, or `undefined` when nothing readable is there. */
export const readStatus = async (files: Files): Promise<StatusFile | undefined> => {
  try {
    return StatusFile.parse(JSON.parse(await readFile(files.status, 'utf8')));
  } catch {
    return undefined;
  }
};

export interface StatusWriter {
  /** Says what is so now. Writes happen one after the other, and only the newest of those that wait is written. */
  set(status: StatusFile): void;
  /** Resolves once everything said is on the disk. */
  settled(): Promise<void>;
}

/** @param failed told when the file cannot be written; the connector goes on, because its work does not need the file */
export const createStatusWriter = (files: Files, failed: (error: unknown) => void): StatusWriter => {
  let wanted: StatusFile | undefined;
  let writing: Promise<void> | undefined;
  const write = async () => {
    while (wanted) {
      const status = wanted;
      wanted = undefined;
      try {
        await ensurePrivateFolder(files.home);
        await writeFileAtomic(files.status, `${JSON.stringify(status, null, 2)}\n`);
      } catch (error) {
        failed(error);
      }
    }
    writing = undefined;
  };
  return {
    set(status) {
      wanted = status;
      writing ??= write();
    },
    settled: async () => {
      await writing;
    },
  };
};
