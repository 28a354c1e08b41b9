import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Sandbox } from '../process/confined.ts';

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
  readonly readable: readonly { readonly from: string; readonly to: string }[];
  readonly base: string;
}): Promise<{ readonly file: string; readonly size: number } | null> => {
  throw new FairleadError('internal', { detail: `not yet: ${order.base}` });
};
