import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConfinedOrder, Sandbox } from '../process/confined.ts';

const BUNDLE = 'agent-commits.bundle';
const LIMIT_MS = 60_000;
/** Bundles above this are not kept; the snapshot holds the work itself. */
const LARGEST = 256 * 1024 * 1024;

/** Settings for a git that runs confined over a repository that the agent may have doctored. */
const ENVIRONMENT = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', GIT_TERMINAL_PROMPT: '0', GIT_NO_REPLACE_OBJECTS: '1' };

/**
 * Keeps the commits that an agent made in its private `.git` as a bundle file. The agent's repository is read only by a confined
 * git that sees nothing else, so doctored alternates lead nowhere; the bundle is evidence and never an ancestor of what lands.
 * Answers null when the agent made none, or git could not read them.
 */
export const bundleAgentCommits = async (order: {
  readonly sandbox: Sandbox;
  readonly workspace: string;
  /** Host folder for the bundle, mounted at `/out`. */
  readonly out: string;
  /** Mounts that the executor had as well, such as the store's objects. */
  readonly readable: ConfinedOrder['readable'];
  readonly base: string;
}): Promise<{ readonly file: string; readonly size: number } | null> => {
  const git = await order.sandbox.start({
    argv: ['/bin/sh', '-c', `git bundle create -q "$FAIRLEAD_OUT/${BUNDLE}" HEAD "^$FAIRLEAD_BASE"`],
    workspace: order.workspace,
    out: order.out,
    readable: order.readable,
    env: { ...ENVIRONMENT, FAIRLEAD_BASE: order.base },
    timeout_ms: LIMIT_MS,
    output: () => undefined,
  });
  const end = await git.ended;
  const file = join(order.out, BUNDLE);
  const facts = await lstat(file).catch(() => undefined);
  if (end.exit_code !== 0 || end.stopped !== 'by_itself' || !facts?.isFile() || facts.size > LARGEST) return null;
  return { file, size: facts.size };
};
