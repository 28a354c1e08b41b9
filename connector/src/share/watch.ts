import { watch, type FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '@fairlead/shared/kit/clock';

/** Writers replace files in one step, but editors do not; what follows within this time is one change. */
const SETTLE = 40;

/** How often the files are looked at where the system gives no notice of changes, such as on some network file systems. */
const LOOK = 5_000;

const marks = async (files: readonly string[]): Promise<string> =>
  (
    await Promise.all(
      files.map((file) =>
        stat(file).then(
          (found) => `${found.ino}:${found.mtimeMs}:${found.size}:${found.mode}`,
          () => '-',
        ),
      ),
    )
  ).join();

/**
 * Calls back after any of the files has changed, appeared or gone. All must lie in one folder, which is what is watched, because a file that is
 * replaced takes its watcher with it. The answer ends the watch.
 */
export const watchFiles = (files: readonly string[], clock: Clock, changed: () => void): (() => void) => {
  const names = new Set(files.map((file) => path.basename(file)));
  let ended = false;
  let settle: (() => void) | undefined;
  let last: string | undefined;
  let watcher: FSWatcher | undefined;

  const notice = () => {
    settle?.();
    settle = clock.after(SETTLE, () => {
      settle = undefined;
      void look();
    });
  };
  const look = async () => {
    const found = await marks(files);
    const moved = last !== undefined && last !== found;
    last = found;
    if (moved && !ended) changed();
  };
  let nextLook: (() => void) | undefined;
  const keepLooking = () => {
    nextLook = clock.after(LOOK, () => void look().then(() => ended || keepLooking()));
  };

  void look();
  keepLooking();
  try {
    watcher = watch(path.dirname(files[0]!), { persistent: false }, (_, name) => {
      if (name === null || names.has(name)) notice();
    });
    watcher.on('error', () => watcher?.close());
  } catch {
    // The looks at intervals remain.
  }
  return () => {
    ended = true;
    settle?.();
    nextLook?.();
    watcher?.close();
  };
};
