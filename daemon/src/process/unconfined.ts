import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { followChild, launchChild, type Ending } from './child.ts';
import { INSIDE, type ConfinedOrder, type Sandbox } from './confined.ts';
import { checkMounts, hostPlaces, mountsOf, placed } from './places.ts';
import { leftOf, MARK, newMark, signalGroup, signalPid } from './process-table.ts';
import { searchPath } from './run.ts';

/** What a process group and the mark in the environment can reach; a process that hides from both is not found. */
const endingOf = (pid: number, mark: string): Ending => {
  const signal = async (name: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    signalGroup(pid, name);
    for (const left of await leftOf(pid, mark)) signalPid(left, name);
  };
  return { term: () => signal('SIGTERM'), kill: () => signal('SIGKILL'), gone: async () => (await leftOf(pid, mark)).length === 0 };
};

/** What is to be mounted below the home is linked there instead. What stands there already, stays. */
const linkIntoHome = async (order: ConfinedOrder, home: string): Promise<void> => {
  for (const { from, to } of mountsOf(order)) {
    const within = relative(INSIDE.home, to);
    if (within === '' || within.startsWith('..')) continue;
    await mkdir(dirname(join(home, within)), { recursive: true });
    await symlink(from, join(home, within)).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EEXIST') throw cause;
    });
  }
};

const checkOrder = async (order: ConfinedOrder): Promise<void> => {
  await checkMounts(mountsOf(order));
  if (order.network && order.network.forwards.length > 0) {
    // The port would be one of the machine's, open to everybody on it.
    throw new FairleadError('sandbox_unavailable', { detail: 'A port can be forwarded only where the order has a network of its own' });
  }
};

/**
 * Runs orders with a scrubbed environment and a throw-away home, and nothing more: they see and reach what the daemon does.
 * @param folder private folder for the homes
 */
export const unconfined = (folder: string, toolchain: readonly string[]): Sandbox => ({
  kind: 'unconfined',
  detail: 'not confined: a scrubbed environment and a throw-away home, but all files, processes and networks of this user',
  async start(order) {
    await checkOrder(order);
    const mark = newMark(order.owner ?? 'nobody');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const own = await mkdtemp(join(folder, 'home-'));
    const cleaned = (): Promise<void> => rm(own, { recursive: true, force: true });
    const places = hostPlaces(order, order.home ?? own);
    const [file = '', ...args] = placed(order.argv, places);
    try {
      await linkIntoHome(order, places.home);
      const env = {
        HOME: places.home,
        LANG: 'C.UTF-8',
        TERM: 'dumb',
        TMPDIR: own,
        ...placed(order.env, places),
        PATH: [...toolchain.flatMap((tool) => [join(tool, 'bin'), tool]), searchPath()].join(':'),
        [MARK]: mark,
        ...(order.out !== undefined && { FAIRLEAD_OUT: order.out }),
      };
      const launched = await launchChild({ file, args, cwd: order.workspace, env, detached: true }, order.output);
      return await followChild(launched, order, endingOf(launched.child.pid!, mark), { places, cleaned });
    } catch (cause) {
      await cleaned();
      throw new FairleadError('requirement_missing', {
        detail: `${file} could not be started`,
        hint: 'Install it and put it on the PATH of the daemon.',
        cause,
      });
    }
  },
});
