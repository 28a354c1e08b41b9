import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { randomBytes } from '@fairlead/shared/kit/clock';
import { followChild, launchChild, type Ending } from './child.ts';
import type { Sandbox } from './confined.ts';
import { leftOf, MARK, signalGroup, signalPid } from './process-table.ts';
import { searchPath } from './run.ts';

/** What a process group and the mark in the environment can reach; a process that hides from both is not found. */
const endingOf = (pid: number, mark: string): Ending => {
  const signal = async (name: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    signalGroup(pid, name);
    for (const left of await leftOf(pid, mark)) signalPid(left, name);
  };
  return { term: () => signal('SIGTERM'), kill: () => signal('SIGKILL'), gone: async () => (await leftOf(pid, mark)).length === 0 };
};

/**
 * Runs orders with a scrubbed environment and a throw-away home, and nothing more: they see and reach what the daemon does.
 * @param folder private folder for the homes
 */
export const unconfined = (folder: string, toolchain: readonly string[]): Sandbox => ({
  kind: 'unconfined',
  detail: 'not confined: a scrubbed environment and a throw-away home, but all files, processes and networks of this user',
  async start(order) {
    const mark = randomBytes(12).toString('hex');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const home = await mkdtemp(join(folder, 'home-'));
    const env = {
      HOME: home,
      LANG: 'C.UTF-8',
      TERM: 'dumb',
      TMPDIR: home,
      ...order.env,
      PATH: [...toolchain.flatMap((tool) => [join(tool, 'bin'), tool]), searchPath()].join(':'),
      [MARK]: mark,
      ...(order.out !== undefined && { FAIRLEAD_OUT: order.out }),
    };
    const cleaned = (): Promise<void> => rm(home, { recursive: true, force: true });
    const [file = '', ...args] = order.argv;
    try {
      const launched = await launchChild({ file, args, cwd: order.workspace, env, detached: true, info: false }, order.output);
      return await followChild(launched, order, endingOf(launched.child.pid!, mark), { mark, cleaned });
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
