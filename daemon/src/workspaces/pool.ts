import { mkdir, readdir, rename, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { ensurePrivateFolder } from '@fairlead/shared/kit/atomic-file';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { randomBytes, systemClock } from '@fairlead/shared/kit/clock';
import { checkOut, initPrivateGit, settleIndex } from '../git/checkout.ts';
import type { Store } from '../git/store.ts';
import { checkoutBytes } from '../git/tree-size.ts';
import { removeFolder } from './remove-folder.ts';

export interface PoolOptions {
  /** Folder of the pool alone, on the file system of the workspaces; made with mode 0700 when missing. */
  readonly root: string;
  /** Ready checkouts that are kept for one store; 0 switches the pool off. */
  readonly folders: number;
  /** Bytes that all of them together may take. */
  readonly disk: number;
  /** Bytes that filling leaves free on the disk. Default: 1 GiB. */
  readonly spare?: number;
  /** While this is true nothing is filled. */
  readonly paused?: () => boolean;
  /** Told of a fill that failed; the pool goes on without it. */
  readonly failed?: (error: unknown) => void;
}

/** What a pool holds, for `status`. */
export interface PoolState {
  readonly folders: number;
  readonly disk: number;
  readonly bytes: number;
  readonly stores: readonly {
    /** The store's folder. */
    readonly store: string;
    readonly ready: number;
    readonly bytes: number;
    /** Why there are fewer than may be, when it is not that they are on their way. */
    readonly held_back: 'budget' | 'disk' | null;
  }[];
}

/** Checkouts in which nothing was ever executed, made ahead of need. What was taken does not come back. */
export interface Pool {
  /** Moves a ready checkout to `place`, which must not exist, and answers the commit that is in it. */
  take(store: Store, place: string): Promise<string | undefined>;
  /** Fills up in the background for a store that was just used. @param commit what was asked for */
  fill(store: Store, commit: string): void;
  /** Gives up what is ready for one store, or for all of them; it is removed in the background. */
  discard(storeFolder?: string): void;
  /** Removes all that is ready; answers whether there was anything. */
  empty(): Promise<boolean>;
  /** Removes, in the background, what an earlier process left. */
  sweep(): void;
  state(): PoolState;
  /** Ends filling and removes what is ready. */
  close(): Promise<void>;
}

/** Where the parts of a ready checkout lie; the same as in a workspace. */
export const partsOf = (place: string) => ({
  folder: join(place, 'files'),
  out: join(place, 'out'),
  index: join(place, 'index'),
  /** Holds an empty `.git`, made ahead of need. */
  made: join(place, 'made'),
});

interface Ready {
  readonly place: string;
  readonly commit: string;
  readonly bytes: number;
}

interface Shelf {
  store: Store;
  /** What the next checkouts of it will hold; always the tip of an owner's branch. */
  commit: string;
  /** When it was used last, as a number that only grows. */
  used: number;
  ready: Ready[];
  held_back: 'budget' | 'disk' | null;
  /** A fill failed; it is tried again with the next use. */
  failed: boolean;
}

/** How long after a use filling begins, so that what asked for a checkout gets going first. In ms. */
const CALM = 250;
const SPARE = 1024 * 1024 * 1024;

const freeBytes = async (folder: string): Promise<number> => {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
};

const sum = (entries: readonly { readonly bytes: number }[]): number => entries.reduce((total, { bytes }) => total + bytes, 0);

/** Makes a ready checkout at `place`. */
const prepare = async (store: Store, commit: string, place: string, signal: AbortSignal): Promise<void> => {
  const { folder, out, index, made } = partsOf(place);
  await ensurePrivateFolder(folder);
  await mkdir(out, { mode: 0o700 });
  await checkOut(store, commit, folder, index);
  signal.throwIfAborted();
  await initPrivateGit(store, made);
  await settleIndex(index, signal);
};

/**
 * A pool of checkouts. One is filled at a time, for the store that was used last first, and only with tips of the owner's branches: what
 * an attempt made is never in it. Room is found by dropping checkouts of the store that was not used for longest.
 */
export const createPool = ({ root, folders, disk, spare = SPARE, paused = () => false, failed = () => undefined }: PoolOptions): Pool => {
  const shelves = new Map<string, Shelf>();
  const stopping = new AbortController();
  // Each process has a folder of its own, so that clearing up after an earlier one never meets this one.
  const own = randomBytes(8).toString('hex');
  let uses = 0;
  let made = 0;
  let background: Promise<void> = Promise.resolve();
  // A fill stands in line that has not begun.
  let waiting = false;
  // Counts how often the pool was emptied; a checkout begun before that is not kept.
  let emptied = 0;

  const drop = async (shelf: Shelf, count: number): Promise<boolean> => {
    const gone = shelf.ready.splice(0, count);
    for (const { place } of gone) await removeFolder(place);
    return gone.length > 0;
  };
  const held = (): number => sum([...shelves.values()].flatMap(({ ready }) => ready));
  const empty = async (): Promise<boolean> => {
    emptied += 1;
    let any = false;
    for (const shelf of shelves.values()) any = (await drop(shelf, Infinity)) || any;
    return any;
  };

  /** Whether so many bytes more are within the budget, after dropping what was used less lately than `shelf`. */
  const makeRoom = async (shelf: Shelf, bytes: number): Promise<boolean> => {
    while (held() + bytes > disk) {
      const [oldest] = [...shelves.values()]
        .filter(({ used, ready }) => used < shelf.used && ready.length > 0)
        .toSorted((a, b) => a.used - b.used);
      if (!oldest) return false;
      await drop(oldest, 1);
    }
    return true;
  };

  const fillOne = async (shelf: Shelf): Promise<void> => {
    const { store, commit } = shelf;
    const before = emptied;
    const bytes = await checkoutBytes(store, commit);
    shelf.held_back = bytes <= disk && (await makeRoom(shelf, bytes)) ? null : 'budget';
    if (shelf.held_back) return;
    await mkdir(join(root, own), { recursive: true, mode: 0o700 });
    if ((await freeBytes(root)) - bytes < spare) shelf.held_back = 'disk';
    if (shelf.held_back) return;
    const place = join(root, own, String(made++));
    try {
      await prepare(store, commit, place, stopping.signal);
      if (emptied !== before || shelves.get(store.folder) !== shelf) await removeFolder(place);
      else shelf.ready.push({ place, commit, bytes });
    } catch (error) {
      await removeFolder(place);
      throw error;
    }
  };

  const lacking = (): Shelf | undefined =>
    [...shelves.values()]
      .filter(({ ready, held_back, failed: bad }) => ready.length < folders && held_back === null && !bad)
      .toSorted((a, b) => b.used - a.used)[0];

  const fillAll = async (): Promise<void> => {
    await systemClock.sleep(CALM, stopping.signal);
    waiting = false;
    for (let shelf = lacking(); shelf && !stopping.signal.aborted && !paused(); shelf = lacking()) {
      try {
        await fillOne(shelf);
      } catch (error) {
        if (stopping.signal.aborted) return;
        shelf.failed = true;
        failed(error);
        if (error instanceof FairleadError && error.code === 'disk_full') await empty();
      }
    }
  };

  const inBackground = (work: () => Promise<void>): void => {
    background = background.then(work).catch((error: unknown) => {
      if (!stopping.signal.aborted) failed(error);
    });
  };

  return {
    async take(store, place) {
      const shelf = shelves.get(store.folder);
      for (let ready = shelf?.ready.pop(); ready; ready = shelf?.ready.pop()) {
        try {
          await rename(ready.place, place);
          return ready.commit;
        } catch {
          // Somebody removed it; whatever is left of it goes too.
          await removeFolder(ready.place);
        }
      }
      return undefined;
    },
    fill(store, commit) {
      if (folders === 0 || stopping.signal.aborted) return;
      const known = shelves.get(store.folder);
      const tip = store.known.has(commit) ? commit : (known?.commit ?? [...store.known].at(-1));
      if (tip === undefined) return;
      const shelf: Shelf = known ?? { store, commit: tip, used: 0, ready: [], held_back: null, failed: false };
      shelves.set(store.folder, Object.assign(shelf, { store, commit: tip, used: ++uses, held_back: null, failed: false }));
      // One more look than is needed costs nothing; one too few would leave the shelf empty until its next use.
      if (waiting) return;
      waiting = true;
      inBackground(fillAll);
    },
    discard(storeFolder) {
      const given = [...shelves.values()].filter(({ store }) => storeFolder === undefined || store.folder === storeFolder);
      // A shelf that is no longer known is not filled, and what was under way for it is removed when it is done.
      for (const { store } of given) shelves.delete(store.folder);
      inBackground(async () => {
        for (const shelf of given) await drop(shelf, Infinity);
      });
    },
    empty,
    sweep() {
      inBackground(async () => {
        const names = await readdir(root).catch(() => []);
        for (const name of names) if (name !== own && !stopping.signal.aborted) await removeFolder(join(root, name));
      });
    },
    state: () => ({
      folders,
      disk,
      bytes: held(),
      stores: [...shelves.values()].map(({ store, ready, held_back }) => ({
        store: store.folder,
        ready: ready.length,
        bytes: sum(ready),
        held_back,
      })),
    }),
    async close() {
      stopping.abort();
      await background;
      await empty();
      await removeFolder(join(root, own));
    },
  };
};
