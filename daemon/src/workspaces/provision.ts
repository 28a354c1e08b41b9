import { writeFile } from 'node:fs/promises';
import { FairleadError } from '@fairlead/shared/contract/errors';
import type { ProjectPolicy } from '@fairlead/shared/contract/project-policy';
import { listUntracked } from '../git/checkout.ts';
import type { Repository } from '../git/repository.ts';
import { provisionedFile } from '../git/snapshot.ts';
import type { Store } from '../git/store.ts';
import { createEgress, type Egress } from '../egress/egress.ts';
import type { ConfinedEnd, ConfinedOrder, Sandbox } from '../process/confined.ts';
import { checkMountPoint, copyDeclared, copyRoom, mountPoint, type CopyRoom, type Declared } from './copies.ts';
import type { Workspace } from './workspaces.ts';

/** As the project policy says it; a policy that an earlier release stored with an attempt knows no mounts. */
export type Provision = Omit<ProjectPolicy['provision'], 'mount'> & Partial<Pick<ProjectPolicy['provision'], 'mount'>>;

/** Bringing a fresh checkout to life, as the project policy says. */
export interface Provisioning {
  readonly policy: Provision;
  /** Where declared copies and mounts come from. */
  readonly repository: Repository;
  readonly sandbox: Sandbox;
  readonly timeout_ms: number;
  readonly output: ConfinedOrder['output'];
  readonly signal?: AbortSignal;
}

/** Where a confined executor sees its checkout. */
const CHECKOUT = '/workspace';

/** The way out to the hosts that the policy names, and to no other. What is refused stands in the output of the hook. */
const openWay = (hosts: readonly string[], sandbox: Sandbox, output: ConfinedOrder['output']): Promise<Egress> =>
  createEgress({
    network: { mode: 'listed', hosts },
    loopback: sandbox.kind === 'unconfined',
    refused: ({ host, port, reason_code }) =>
      output(Buffer.from(`fairlead: ${host || 'no host'}:${port} was refused (${reason_code})\n`), 'stderr'),
  });

const runHook = async (
  workspace: Workspace,
  argv: readonly string[],
  { policy, sandbox, timeout_ms, output, signal }: Provisioning,
): Promise<void> => {
  signal?.throwIfAborted();
  const way = policy.network.length === 0 ? undefined : await openWay(policy.network, sandbox, output);
  let end: ConfinedEnd;
  try {
    const reached = way?.reachedBy(sandbox.kind);
    const hook = await sandbox.start({
      argv,
      workspace: workspace.folder,
      readable: workspace.readable,
      env: reached?.proxy_env ?? {},
      ...(reached && { network: { forwards: reached.forwards } }),
      timeout_ms,
      output,
    });
    const stop = (): void => void hook.stop();
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) stop();
    end = await hook.ended;
    signal?.removeEventListener('abort', stop);
  } finally {
    await way?.close();
  }
  if (end.stopped === 'unconfirmed') throw new FairleadError('effect_in_doubt', { detail: 'The post-create hook could not be stopped' });
  signal?.throwIfAborted();
  if (end.exit_code !== 0) {
    const how = end.timed_out ? 'ran into its time limit' : `ended with ${end.exit_code ?? end.signal}`;
    throw new FairleadError('requirement_missing', {
      detail: `The post-create hook ${how}`,
      hint: 'Its output is in the log of the step; correct provision.post_create or what it needs.',
    });
  }
};

const refuseImpossible = ({ policy, repository }: Provisioning): void => {
  const field = policy.copy.length > 0 ? 'provision.copy' : policy.mount?.length ? 'provision.mount' : undefined;
  if (field !== undefined && repository.work_tree === null) {
    throw new FairleadError('project_policy_invalid', {
      field,
      rule: 'needs a repository with a work tree',
      detail: `${field}: the repository is bare and has no untracked files`,
    });
  }
};

/** What a checkout was given besides its commit, by declared path. */
export interface ProvisionedState {
  readonly copied: readonly string[];
  readonly mounted_read_only: readonly string[];
  readonly post_create: boolean;
}

const isMounted = ({ mode }: { readonly mode: string }, sandbox: Sandbox): boolean => mode === 'read_only' && sandbox.kind !== 'unconfined';

/** How a checkout is provisioned, for `status`. */
export const describeProvision = ({ policy, sandbox }: Provisioning): ProvisionedState => {
  const mounts = policy.mount ?? [];
  return {
    copied: [...policy.copy, ...mounts.filter((mount) => !isMounted(mount, sandbox)).map(({ path }) => path)],
    mounted_read_only: mounts.filter((mount) => isMounted(mount, sandbox)).map(({ path }) => path),
    post_create: policy.post_create !== undefined,
  };
};

/** Copies; a full disk is made room on once, where there is something to give up. */
const copyWithRoom = async (declared: Declared, room: CopyRoom, giveUp: () => Promise<boolean>): Promise<void> => {
  const left = { ...room };
  try {
    await copyDeclared(declared, room);
  } catch (error) {
    if (!(error instanceof FairleadError && error.code === 'disk_full' && (await giveUp()))) throw error;
    Object.assign(room, left);
    await copyDeclared(declared, room);
  }
};

/**
 * Brings in what the policy declares, and answers the workspace with its mounts. Where nothing confines work, a folder cannot be kept from
 * being written to, so that a read-only one becomes a copy.
 */
export const provision = async (
  workspace: Workspace,
  store: Store | undefined,
  provisioning: Provisioning,
  giveUp: () => Promise<boolean>,
): Promise<Workspace> => {
  const { policy, repository, sandbox } = provisioning;
  refuseImpossible(provisioning);
  const room = copyRoom();
  const brought: string[] = [];
  const declared = (field: Declared['field'], path: string): Declared => {
    brought.push(path.replace(/\/+$/, ''));
    return { field, workTree: repository.work_tree!, checkout: workspace.folder, path };
  };
  for (const path of policy.copy) await copyWithRoom(declared('provision.copy', path), room, giveUp);
  const mounts: { from: string; to: string }[] = [];
  for (const declaredMount of policy.mount ?? []) {
    const what = declared('provision.mount', declaredMount.path);
    if (!isMounted(declaredMount, sandbox)) await copyWithRoom(what, room, giveUp);
    else {
      const mount = await mountPoint(what);
      mounts.push({ from: mount.from, to: `${CHECKOUT}/${mount.path}` });
    }
  }
  const ready: Workspace = { ...workspace, readable: [...workspace.readable, ...mounts] };
  if (policy.post_create) {
    await runHook(ready, policy.post_create, provisioning);
    for (const { to } of mounts) await checkMountPoint(workspace.folder, to.slice(CHECKOUT.length + 1));
  }
  // What provisioning made is no part of the work, so that a copied secret never ends up in a snapshot: neither what it made now, nor what
  // becomes visible at a declared path once an attempt changes what the project ignores.
  if (store && (brought.length > 0 || policy.post_create)) {
    const made = await listUntracked(store, workspace.folder, workspace.index);
    await writeFile(provisionedFile(workspace.index), Buffer.concat([made, Buffer.from(brought.map((path) => `${path}\0`).join(''))]), {
      mode: 0o600,
    });
  }
  return ready;
};
