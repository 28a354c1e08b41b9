import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Store } from './store.ts';

export interface ListedFile {
  readonly path: string;
  readonly kind: 'file' | 'link' | 'submodule';
  /** Bytes; null for a submodule. */
  readonly size: number | null;
}

/** Lists tracked files below `path` ('' is the root), in byte order, `after` a path. @throws FairleadError `not_found`, `invalid_input` */
export const listFiles = async (
  store: Store,
  commit: string,
  { path, after, limit }: { readonly path: string; readonly after?: string; readonly limit: number },
): Promise<{ readonly items: readonly ListedFile[]; readonly next_after: string | null }> => {
  throw new FairleadError('internal', { detail: `not yet: ${store.folder} ${commit} ${path} ${after} ${limit}` });
};

/** A part of one tracked file. @throws FairleadError `not_found`, `invalid_input` for a path that leaves the tree */
export const readFileAt = async (
  store: Store,
  commit: string,
  { path, offset, length }: { readonly path: string; readonly offset: number; readonly length: number },
): Promise<{ readonly size: number; readonly bytes: Buffer }> => {
  throw new FairleadError('internal', { detail: `not yet: ${store.folder} ${commit} ${path} ${offset} ${length}` });
};

/** Lines of tracked text files that hold a fixed string. */
export const searchFiles = async (
  store: Store,
  commit: string,
  { text, path, ignore_case, limit }: { readonly text: string; readonly path: string; readonly ignore_case: boolean; readonly limit: number },
): Promise<{ readonly matches: readonly { readonly path: string; readonly line: number; readonly text: string }[]; readonly truncated: boolean }> => {
  throw new FairleadError('internal', { detail: `not yet: ${store.folder} ${commit} ${text} ${path} ${ignore_case} ${limit}` });
};
