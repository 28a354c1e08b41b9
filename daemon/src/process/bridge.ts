import { writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import type { Forward } from './confined.ts';
// oxlint-disable-next-line import/default -- it is imported as text
import program from './bridge.program.js';
import type { PlannedMount } from './places.ts';

const PROGRAM = '/run/fairlead/bridge.mjs';

const socketInside = (port: number): string => `/run/fairlead/${port}.sock`;

/** What a forward needs inside, and the argv that is put before the real one. */
export interface Bridge {
  readonly mounts: readonly PlannedMount[];
  /** @param env of the real program; what would change the bridge itself is kept from it */
  wrap(argv: readonly string[], env: Readonly<Record<string, string>>): { argv: string[]; env: Record<string, string> };
}

/** The libraries that this process runs with, as the linker found them; `$ORIGIN` and links are kept as they are. */
const librariesOfNode = (): string[] => {
  // Without this it would look up names for every open socket. The types of Node 20 do not know the property yet.
  const report: NodeJS.ProcessReport & { excludeNetwork?: boolean } = process.report;
  report.excludeNetwork = true;
  const { sharedObjects } = report.getReport() as { readonly sharedObjects?: readonly string[] };
  return (sharedObjects ?? []).filter((path) => path.startsWith('/') && /\.so(\.|$)/.test(path)).map((path) => normalize(path));
};

/**
 * Writes the bridge beside the other files of the sandbox and finds what the daemon's own node needs to run inside.
 * @param folder private folder @param isThere whether a path is visible in every sandbox anyway
 */
export const prepareBridge = async (
  folder: string,
  isThere: (path: string) => boolean,
): Promise<(forwards: readonly Forward[]) => Bridge> => {
  const node = process.execPath;
  const file = join(folder, 'bridge.mjs');
  await writeFile(file, program, { mode: 0o644 });
  const needed = [...new Set([node, ...librariesOfNode()])].filter((path) => !isThere(path) && !isThere(dirname(path)));
  const fixed = [{ from: file, to: PROGRAM }, ...needed.map((path) => ({ from: path, to: path }))];
  return (forwards) => ({
    mounts: [...fixed, ...forwards.map(({ port, socket }) => ({ from: socket, to: socketInside(port) }))].map((mount) => ({
      ...mount,
      writable: false,
    })),
    wrap(argv, env) {
      const own = Object.entries(env).filter(([name]) => name.startsWith('NODE_'));
      const document = {
        forwards: forwards.map(({ port }) => ({ port, socket: socketInside(port) })),
        env: Object.fromEntries(own),
      };
      return {
        argv: [node, PROGRAM, JSON.stringify(document), ...argv],
        env: Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('NODE_'))),
      };
    },
  });
};
