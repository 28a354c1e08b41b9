import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { bubblewrap, VARIANTS, type BubblewrapSetup, type Variant } from './bubblewrap.ts';
import type { Sandbox } from './confined.ts';
import { findControlGroups } from './control-groups.ts';
import { forbidCoreDumps } from './core-dumps.ts';
import { runProgram } from './run.ts';
import { unconfined } from './unconfined.ts';
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
      : output.trim().split('\n').at(-1) || `bwrap exited with ${end.exit_code ?? end.signal}`;
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

type Way = Pick<BubblewrapSetup, 'variant' | 'filtered' | 'groups'>;

/** Everything that bubblewrap can be asked for, the strongest first. A kernel without a filter for system calls is the rarest lack. */
const waysToTry = async (): Promise<Way[]> => {
  const groups = await findControlGroups(limitsOf());
  const ways = [true, false].flatMap((filtered) => (VARIANTS as readonly Variant[]).map((variant) => ({ variant, filtered })));
  return [...(groups ? ways.map((way) => ({ ...way, groups })) : []), ...ways];
};

const findBubblewrap = async (
  folder: string,
  toolchain: readonly string[],
): Promise<{ sandbox: Sandbox } | { reason: string; cure: string }> => {
  if (process.platform !== 'linux') {
    return {
      reason: 'There is no sandbox backend for this system yet; bubblewrap runs on Linux only',
      cure: 'Run the daemon on Linux (a virtual machine or WSL2 will do), or say unconfined for an instance whose tasks you trust',
    };
  }
  if (!(await installed())) return { reason: 'bubblewrap (bwrap) is not installed', cure: await installCommand() };
  let why = '';
  for (const how of await waysToTry()) {
    const sandbox = await bubblewrap({ ...how, folder: join(folder, 'files'), toolchain });
    const wrong = await tryVariant(sandbox, folder);
    if (wrong === undefined) return { sandbox };
    why ||= wrong;
  }
  return { reason: `bubblewrap is installed but does not work here: ${why}`, cure: cureFor(why) };
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
  const found = await findBubblewrap(folder, toolchain);
  return {
    sandbox: 'sandbox' in found ? found.sandbox : undefined,
    unconfined: unconfined(folder, toolchain),
    reason: 'reason' in found ? found.reason : undefined,
    cure: 'cure' in found ? found.cure : undefined,
  };
};
