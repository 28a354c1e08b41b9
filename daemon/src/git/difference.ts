import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Store } from './store.ts';

/** One entry of the raw difference of two trees, with its line counts. The fence reads these, never patch text. */
export interface DiffEntry {
  /** Names that are not UTF-8 are shown with \xNN. */
  readonly path: string;
  readonly status: 'added' | 'modified' | 'deleted' | 'type_changed';
  /** Six octal digits: 100644, 100755, 120000 (link), 160000 (submodule), 000000 (absent). */
  readonly old_mode: string;
  readonly new_mode: string;
  readonly old_id: string;
  readonly new_id: string;
  /** Lines; null where git counts none. */
  readonly added: number | null;
  readonly removed: number | null;
  /** What a new or changed link points to; null for anything else. */
  readonly link_target: string | null;
}

export interface Difference {
  readonly entries: readonly DiffEntry[];
  /** `sha256:…` over the raw difference (modes, ids, names): what a gate is bound to. */
  readonly digest: string;
  readonly added: number;
  readonly removed: number;
  /** New names that another name in the new tree equals but for case or normalisation. */
  readonly collisions: readonly { readonly path: string; readonly with: string }[];
  /** The raw difference and the line counts as git printed them, names with NUL: the `names` and `numstat` artifacts. */
  readonly names: Buffer;
  readonly numstat: Buffer;
}

/**
 * The difference of two trees or commits of the store, in one git process. The patch text goes to `patch` as it comes; a slow
 * receiver slows git down, so that a patch of any size passes in bounded memory.
 */
export const readDifference = async (
  store: Store,
  from: string,
  to: string,
  patch?: (chunk: Buffer) => void | Promise<void>,
): Promise<Difference> => {
  throw new FairleadError('internal', { detail: `not yet: ${store.folder} ${from} ${to} ${typeof patch}` });
};
