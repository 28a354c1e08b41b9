import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const findRoot = (folder: string): string => {
  if (existsSync(join(folder, 'pnpm-workspace.yaml'))) return folder;
  const above = dirname(folder);
  if (above === folder) throw new Error('The checkout was not found above this file');
  return findRoot(above);
};

/** The root of the checkout, from sources and from bundles alike. */
export const ROOT = findRoot(dirname(fileURLToPath(import.meta.url)));

const program = (part: string): readonly string[] => [process.execPath, join(ROOT, part, 'dist', 'main.js')];

/** How each program is started: the real, bundled bins. */
export const PROGRAMS = { fairlead: program('daemon'), connector: program('connector'), relay: program('relay') } as const;
export type ProgramName = keyof typeof PROGRAMS;

/** A script of `scripts/dist` as a process of its own. */
export const script = (name: string): readonly string[] => [process.execPath, join(ROOT, 'scripts', 'dist', `${name}.js`)];
