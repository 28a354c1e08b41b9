import { lstat, stat } from 'node:fs/promises';
import { isAbsolute, join, normalize, relative } from 'node:path';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { INSIDE, type ConfinedOrder, type Mount, type Placed, type Places } from './confined.ts';

/** A mount as it is made. */
export interface PlannedMount extends Mount {
  readonly writable: boolean;
}

const unavailable = (detail: string): FairleadError => new FairleadError('sandbox_unavailable', { detail });

const depthOf = (path: string): number => path.split('/').filter(Boolean).length;

/** Whether a path is a folder or lies below it; both absolute and normal. */
const isBelow = (folder: string, path: string): boolean => path === folder || path.startsWith(folder === '/' ? folder : `${folder}/`);

/** All host paths of an order, outer ones first, so that what is mounted later into an earlier one stays visible. */
export const mountsOf = (order: ConfinedOrder): PlannedMount[] =>
  [
    { from: order.workspace, to: INSIDE.workspace, writable: true },
    ...(order.out === undefined ? [] : [{ from: order.out, to: INSIDE.out, writable: true }]),
    ...(order.home === undefined ? [] : [{ from: order.home, to: INSIDE.home, writable: true }]),
    ...order.readable.map((mount) => ({ ...mount, writable: false })),
    ...(order.writable ?? []).map((mount) => ({ ...mount, writable: true })),
  ].toSorted((a, b) => depthOf(a.to) - depthOf(b.to));

/** Whether there is nothing at a path; a link counts as what it leads to. */
export const isMissing = async (path: string): Promise<boolean> => {
  try {
    await stat(path);
    return false;
  } catch {
    return true;
  }
};

/**
 * The point of a mount that lies inside another one is made in the folder that is mounted there. A link that earlier work left on
 * the way to it would lead somewhere else.
 */
const checkPoint = async (outer: Mount, to: string): Promise<void> => {
  let path = outer.from;
  for (const name of relative(outer.to, to).split('/')) {
    path = join(path, name);
    const found = await lstat(path).catch(() => undefined);
    if (!found) return;
    if (found.isSymbolicLink()) throw unavailable(`A link stands where ${to} is to be mounted`);
  }
};

/** Whether all that an order names is there and can be mounted where it says. @throws FairleadError `sandbox_unavailable` */
export const checkMounts = async (mounts: readonly PlannedMount[]): Promise<void> => {
  const seen: PlannedMount[] = [];
  for (const mount of mounts) {
    const { from, to } = mount;
    if (!isAbsolute(to) || normalize(to) !== to || to === '/') throw unavailable(`${to} is no path at which something can be mounted`);
    if (await isMissing(from)) throw unavailable('A file or folder that the order names does not exist');
    const outer = seen.findLast((other) => isBelow(other.to, to));
    if (outer?.to === to) throw unavailable(`Two places of the order are to be mounted at ${to}`);
    if (outer) await checkPoint(outer, to);
    seen.push(mount);
  }
};

/** Where everything is as the order names it. */
export const mountedPlaces = (order: ConfinedOrder): Places => ({
  workspace: INSIDE.workspace,
  out: order.out === undefined ? undefined : INSIDE.out,
  home: INSIDE.home,
  pathOf: (path) => path,
});

/** Where nothing is mounted: every place is reached by its path on the host. @param home the home, given or thrown away */
export const hostPlaces = (order: ConfinedOrder, home: string): Places => {
  const inner = [{ from: home, to: INSIDE.home }, ...mountsOf(order)].toSorted((a, b) => depthOf(b.to) - depthOf(a.to));
  return {
    workspace: order.workspace,
    out: order.out,
    home,
    pathOf(path) {
      const mount = inner.find(({ to }) => isBelow(to, path));
      return mount ? join(mount.from, relative(mount.to, path)) : path;
    },
  };
};

/** The value itself, made for these places where it depends on them. */
export const placed = <T extends object>(value: Placed<T>, places: Places): T => (typeof value === 'function' ? value(places) : value);
