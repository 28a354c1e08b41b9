import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Sandbox } from './confined.ts';

/** What this machine has. */
export interface Confining {
  /** Undefined when this machine has no sandbox. */
  readonly sandbox: Sandbox | undefined;
  /** Runs orders with a scrubbed environment and nothing else. Only for instances whose owner said `unconfined`. */
  readonly unconfined: Sandbox;
  /** Why there is no sandbox, in plain words; undefined when there is one. */
  readonly reason: string | undefined;
  /** The one-line cure for this system; undefined when there is nothing to cure. */
  readonly cure: string | undefined;
}

/**
 * Finds out, by really running it, what can confine work here. @param folder private folder (0700) for a few small files
 * that sandboxes mount; made when missing @param toolchain folders that the owner listed, mounted read-only and put on PATH
 */
export const detectConfinement = async (options: { readonly folder: string; readonly toolchain: readonly string[] }): Promise<Confining> => {
  throw new FairleadError('internal', { detail: `not yet: ${options.folder}` });
};
