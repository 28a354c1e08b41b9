import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Confinement } from '@fairlead/shared/contract/states';
import { bubblewrap, VARIANTS } from './bubblewrap.ts';
import type { Sandbox } from './confined.ts';
import { findControlGroups, type ControlGroups } from './control-groups.ts';
import { forbidCoreDumps } from './core-dumps.ts';
import { runProgram } from './run.ts';
import { unconfined } from './unconfined.ts';
import { unshare, UNSHARE_VARIANTS } from './unshare.ts';
import { limitsOf } from './usage.ts';

/** What this machine has. */
export interface Confining {
  /** Undefined when this machine has no sandbox. */
  readonly sandbox: Sandbox | undefined;
  /** Runs orders with a scrubbed environment and nothing else. Only for instances whose owner said `unconfined`. */
  readonly unconfined: Sandbox;
  /** Why there is no sandbox, in plain words; undefined when there is one. */
  readonly reason: string | undefined;
  /** The one-line cure for this system; undefined when there is nothing to cure. */
  readonly cure: string | undefined;
}

const PROBE_MS = 10_000;

/** Runs one order that must find itself in a pid namespace of its own; answers what went wrong. */
const tryVariant = async (sandbox: Sandbox, folder: string): Promise<string | undefined> => {
  const workspace = await mkdtemp(join(folder, 'probe-'));
  let output = '';
  try {
    const probe = await sandbox.start({
      argv: ['/bin/sh', '-c', 'test -d /proc/self && test -w /workspace && ! test -w /usr && echo confined'],
      workspace,
      readable: [],
      env: {},
      timeout_ms: PROBE_MS,
      output: (chunk) => (output += chunk.toString('utf8')),
    });
    const end = await probe.ended;
    return end.exit_code === 0 && output.includes('confined')
      ? undefined
      : output.trim().split('\n').at(-1) || `it exited with ${end.exit_code ?? end.signal}`;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
};

/** The install command of the distribution, as /etc/os-release names it. */
const installCommand = async (): Promise<string> => {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const like = [...release.matchAll(/^(?:ID|ID_LIKE)="?([^"\n]*)"?$/gm)].map((match) => match[1]).join(' ');
  if (/debian|ubuntu/.test(like)) return 'sudo apt-get install -y bubblewrap';
  if (/fedora|rhel|centos/.test(like)) return 'sudo dnf install -y bubblewrap';
  if (/arch/.test(like)) return 'sudo pacman -S --noconfirm bubblewrap';
  if (/alpine/.test(like)) return 'sudo apk add bubblewrap';
  if (/suse/.test(like)) return 'sudo zypper install -y bubblewrap';
  return 'Install the package bubblewrap with the package manager of this system';
};

const installed = async (): Promise<boolean> => {
  try {
    return (await runProgram({ file: 'bwrap', args: ['--version'], cwd: '/', env: {} })).code === 0;
  } catch {
    return false;
  }
};

const cureFor = (why: string): string => {
  if (/unprivileged_userns|user namespace|uid map|Operation not permitted|Permission denied/i.test(why)) {
    return 'Allow unprivileged user namespaces: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), kernel.unprivileged_userns_clone=1 (Debian), user.max_user_namespaces=10000; in a container, run it with --security-opt seccomp=unconfined or without the container';
  }
  return 'Run bwrap --ro-bind / / --unshare-pid --proc /proc true to see what this system refuses';
};

/** What every way to confine is made with. */
interface Setup {
  readonly folder: string;
  readonly toolchain: readonly string[];
  readonly groups?: ControlGroups;
}

/** One way to confine, as strong as it can be asked for; the strongest of its kind first. */
interface Way {
  readonly kind: Confinement;
  readonly make: (setup: Setup) => Promise<Sandbox>;
}

/** bubblewrap goes first: it starts faster and filters system calls. A kernel without a filter for those is the rarest lack. */
const WAYS: readonly Way[] = [
  ...[true, false].flatMap((filtered) =>
    VARIANTS.map((variant): Way => ({ kind: 'bubblewrap', make: (setup) => bubblewrap({ ...setup, variant, filtered }) })),
  ),
  ...UNSHARE_VARIANTS.map((variant): Way => ({ kind: 'unshare', make: (setup) => unshare({ ...setup, variant }) })),
];

type Found = { readonly sandbox: Sandbox } | { readonly why: string };

/** The strongest way of one kind that works here. */
const findKind = async (kind: Confinement, folder: string, setup: Setup): Promise<Found> => {
  const ways = WAYS.filter((way) => way.kind === kind);
  // With control groups and without them, where this machine lends any.
  const setups = setup.groups ? [setup, { folder: setup.folder, toolchain: setup.toolchain }] : [setup];
  let why = '';
  for (const given of setups) {
    for (const { make } of ways) {
      const sandbox = await make(given);
      const wrong = await tryVariant(sandbox, folder);
      if (wrong === undefined) return { sandbox };
      why ||= wrong;
    }
  }
  return { why };
};

const setupIn = async (folder: string, toolchain: readonly string[]): Promise<Setup> => {
  const groups = await findControlGroups(limitsOf());
  return { folder: join(folder, 'files'), toolchain, ...(groups && { groups }) };
};

/** Every kind of sandbox that works here, the one that is taken first. */
export const workingSandboxes = async (folder: string, toolchain: readonly string[]): Promise<Sandbox[]> => {
  if (process.platform !== 'linux') return [];
  const setup = await setupIn(folder, toolchain);
  const found: Sandbox[] = [];
  for (const kind of new Set(WAYS.map((way) => way.kind))) {
    const one = await findKind(kind, folder, setup);
    if ('sandbox' in one) found.push(one.sandbox);
  }
  return found;
};

const findSandbox = async (
  folder: string,
  toolchain: readonly string[],
): Promise<{ sandbox: Sandbox } | { reason: string; cure: string }> => {
  if (process.platform !== 'linux') {
    return {
      reason: 'There is no sandbox backend for this system yet; those that there are need Linux',
      cure: 'Run the daemon on Linux (a virtual machine or WSL2 will do), or say unconfined for an instance whose tasks you trust',
    };
  }
  const setup = await setupIn(folder, toolchain);
  const has = await installed();
  const first = has ? await findKind('bubblewrap', folder, setup) : { why: 'bubblewrap (bwrap) is not installed' };
  if ('sandbox' in first) return first;
  const second = await findKind('unshare', folder, setup);
  if ('sandbox' in second) return second;
  return has
    ? { reason: `bubblewrap is installed but does not work here: ${first.why}`, cure: cureFor(first.why) }
    : { reason: `${first.why}, and unshare does not work here: ${second.why}`, cure: await installCommand() };
};

/**
 * Finds out, by really running it, what can confine work here. @param folder private folder (0700) for a few small files
 * that sandboxes mount; made when missing @param toolchain folders that the owner listed, mounted read-only and put on PATH
 */
export const detectConfinement = async ({
  folder,
  toolchain,
}: {
  readonly folder: string;
  readonly toolchain: readonly string[];
}): Promise<Confining> => {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await forbidCoreDumps();
  const found = await findSandbox(folder, toolchain);
  return {
    sandbox: 'sandbox' in found ? found.sandbox : undefined,
    unconfined: unconfined(folder, toolchain),
    reason: 'reason' in found ? found.reason : undefined,
    cure: 'cure' in found ? found.cure : undefined,
  };
};
