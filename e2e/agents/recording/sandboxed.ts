import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ROOM_ENVIRONMENT } from '@fairlead/daemon/process/confined';

/** An agent as it is started for a recording. */
export interface Launch {
  /** The folder that the agent is installed in, seen as `/opt/agent`. */
  readonly installed: string;
  /** Seen as `/workspace`. */
  readonly workspace: string;
  /** Seen as `/home/fairlead`. */
  readonly home: string;
  readonly argv: readonly string[];
  /** Folders of the workspace that are seen empty. */
  readonly hidden: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const words = (text: string): string[] => text.split(' ');

const ISOLATION = words(
  '--unshare-user --disable-userns --uid 1000 --gid 1000 --unshare-pid --unshare-ipc --unshare-uts --hostname fairlead --die-with-parent --new-session',
);
const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib64'];
const ETC = ['/etc/ld.so.cache', '/etc/ssl/certs', '/etc/alternatives', '/etc/nsswitch.conf', '/etc/localtime'];

const systemMounts = (): string[] => [
  ...SYSTEM.filter((path) => existsSync(path)).flatMap((path) =>
    lstatSync(path).isSymbolicLink() ? ['--symlink', readlinkSync(path), path] : ['--ro-bind', path, path],
  ),
  ...ETC.filter((path) => existsSync(path)).flatMap((path) => ['--ro-bind', path, path]),
];

/**
 * Starts an agent as Fairlead does: user 1000, a read-only root, the checkout at `/workspace`, no further user namespaces. The network is that
 * of the caller, which is one with loopback alone. So paths in a recording are those of every machine.
 */
export const launchSandboxed = ({ installed, workspace, home, argv, env, hidden }: Launch): ChildProcess =>
  spawn(
    'bwrap',
    [
      ...ISOLATION,
      ...systemMounts(),
      ...words('--proc /proc --dev /dev --tmpfs /tmp --dir /var --dir /run'),
      '--ro-bind',
      installed,
      '/opt/agent',
      '--bind',
      home,
      '/home/fairlead',
      '--bind',
      workspace,
      '/workspace',
      ...hidden.filter((path) => existsSync(join(workspace, path))).flatMap((path) => ['--tmpfs', `/workspace/${path}`]),
      ...words('--remount-ro /proc --remount-ro / --chdir /workspace --clearenv'),
      ...Object.entries({
        ...ROOM_ENVIRONMENT,
        PATH: '/usr/local/bin:/usr/bin:/bin',
        ...env,
      }).flatMap(([name, value]) => ['--setenv', name, value]),
      '--',
      ...argv,
    ],
    { stdio: ['pipe', 'pipe', 'pipe'], env: { PATH: '/usr/local/bin:/usr/bin:/bin' } },
  );
