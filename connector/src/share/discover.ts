import { readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@fairlead/shared/contract/client';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';

/** How far a repository has come: seen on the disk, registered with the daemon, or shared with the relay. */
export type Standing = 'shared' | 'registered' | 'found';

export interface Discovered {
  readonly standing: Standing;
  readonly path: string;
  readonly instance_id: string | null;
  readonly label: string | null;
}

export interface Discovery {
  readonly items: readonly Discovered[];
  /** How many folders were looked into. */
  readonly folders: number;
  /** Folders that could not be read. */
  readonly unreadable: number;
  /** Whether the search ended at its limit. */
  readonly truncated: boolean;
}

/** Folders that hold what others made; a repository in them is not one that a person works on. */
const PASSED_OVER: ReadonlySet<string> = new Set(['node_modules']);

/** A checkout has `.git`, as a folder or as a file that points at one; a bare repository has these three. */
const isRepository = (names: ReadonlySet<string>): boolean =>
  names.has('.git') || ['HEAD', 'objects', 'refs'].every((name) => names.has(name));

/** Repositories below some folders. Links are never followed, what begins with a dot is passed over, and a repository is not looked into. */
const search = async (roots: readonly string[], depth: number) => {
  const paths = new Set<string>();
  const seen = new Set<string>();
  const told = { folders: 0, unreadable: 0, truncated: false };
  let waiting = roots.map((path) => ({ path, left: depth }));
  while (waiting.length > 0) {
    const next: typeof waiting = [];
    for (const { path, left } of waiting) {
      if (seen.has(path)) continue;
      seen.add(path);
      if (told.folders >= LIMITS.discover_folders.value) return { paths, ...told, truncated: true };
      told.folders++;
      const entries = await readdir(path, { withFileTypes: true }).catch(() => undefined);
      if (!entries) {
        told.unreadable++;
        continue;
      }
      if (isRepository(new Set(entries.map(({ name }) => name)))) paths.add(path);
      else if (left > 0)
        for (const entry of entries)
          if (entry.isDirectory() && !entry.name.startsWith('.') && !PASSED_OVER.has(entry.name))
            next.push({ path: join(path, entry.name), left: left - 1 });
    }
    waiting = next;
  }
  return { paths, ...told };
};

/** A folder that was named by hand may be reached through a link; below it none is followed. @throws FairleadError `invalid_input` */
const rootOf = async (root: string): Promise<string> => {
  try {
    const path = await realpath(root);
    await readdir(path);
    return path;
  } catch (cause) {
    throw new FairleadError('invalid_input', {
      field: '--root',
      rule: 'must be a folder that can be read',
      detail: `--root ${root} is no folder that can be read`,
      cause,
    });
  }
};

/**
 * Looks at what could be shared: what the daemon has, and what lies below some folders. It only reads; nothing is registered or shared by it.
 * @param options.shared ids of the instances that are shared now
 * @throws FairleadError what the daemon says; `invalid_input` for a root that is no readable folder
 */
export const discover = async (options: {
  readonly operator: Client;
  readonly shared: ReadonlySet<string>;
  readonly roots: readonly string[];
  readonly depth: number;
}): Promise<Discovery> => {
  const roots = await Promise.all(options.roots.map(rootOf));
  const { items } = await options.operator.call('list_instances', {});
  const registered = await Promise.all(
    items.map(async ({ id, label, path = '' }): Promise<Discovered> => ({
      standing: options.shared.has(id) ? 'shared' : 'registered',
      path: await realpath(path).catch(() => path),
      instance_id: id,
      label,
    })),
  );
  const { paths, ...told } = await search(roots, options.depth);
  for (const { path } of registered) paths.delete(path);
  const found = [...paths].sort().map((path): Discovered => ({ standing: 'found', path, instance_id: null, label: null }));
  return { items: [...registered, ...found], ...told };
};
