import { lstat, mkdir, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { randomBytes } from '@fairlead/shared/kit/clock';
import { followChild, launchChild, type Ending } from './child.ts';
import type { ConfinedOrder, Sandbox } from './confined.ts';
import { descendantsOf, isAlive, MARK, signalPid, startTokenOf } from './process-table.ts';
import { searchPath } from './run.ts';

/** How far this machine lets bubblewrap go; the strongest that works is taken. */
export const VARIANTS = [
  { name: 'user namespace, no further ones', args: ['--unshare-user', '--disable-userns', '--uid', '1000', '--gid', '1000'] },
  { name: 'user namespace', args: ['--unshare-user', '--uid', '1000', '--gid', '1000'] },
  { name: 'no user namespace, all capabilities dropped', args: ['--cap-drop', 'ALL'] },
] as const;
export type Variant = (typeof VARIANTS)[number];

const HOME = '/home/fairlead';
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** A private /tmp or home lives in memory; this keeps one order from filling it. */
const TMPFS_BYTES = String(2 * 1024 * 1024 * 1024);

const SYSTEM_FOLDERS = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/nix/store', '/run/current-system'];

/** What programs need of /etc. Nothing here is a secret; the rest of /etc is absent, and passwd and group are our own. */
const ETC = [
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'nsswitch.conf',
  'host.conf',
  'protocols',
  'services',
  'mime.types',
  'localtime',
  'timezone',
  'alternatives',
  'ssl/certs',
  'ssl/openssl.cnf',
  'ssl/cert.pem',
  'pki/tls/certs',
  'pki/ca-trust/extracted',
  'ca-certificates.conf',
  'crypto-policies',
  'fonts',
  'java',
  'maven',
  'perl',
  'python3',
  'magic',
  'terminfo',
  'debian_version',
  'os-release',
  'inputrc',
  'profile.d',
].map((name) => `/etc/${name}`);

const FILES = {
  passwd: `root:x:0:0:root:/:/usr/sbin/nologin\nfairlead:x:1000:1000:Fairlead:${HOME}:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n`,
  group: 'root:x:0:\nfairlead:x:1000:\nnogroup:x:65534:\n',
  hosts: '127.0.0.1 localhost\n::1 localhost\n',
} as const;

const exists = async (path: string): Promise<boolean> => {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
};

/** System folders, read-only; where the system has a link such as /bin -> usr/bin, the same link. */
const systemMounts = async (): Promise<string[]> => {
  const args: string[] = [];
  for (const folder of SYSTEM_FOLDERS) {
    const found = await lstat(folder).catch(() => undefined);
    if (found?.isSymbolicLink()) args.push('--symlink', await readlink(folder), folder);
    else if (found?.isDirectory()) args.push('--ro-bind', folder, folder);
  }
  for (const path of ETC) if (await exists(path)) args.push('--ro-bind', path, path);
  return args;
};

/** The folders of a toolchain in which programs lie. */
const programFolders = async (toolchain: readonly string[]): Promise<string[]> => {
  const found: string[] = [];
  for (const folder of toolchain) {
    const below = join(folder, 'bin');
    found.push((await exists(below)) ? below : folder);
  }
  return found;
};

const ISOLATION = [
  '--unshare-pid',
  '--unshare-net',
  '--unshare-ipc',
  '--unshare-uts',
  '--unshare-cgroup-try',
  '--hostname',
  'fairlead',
  '--die-with-parent',
  '--new-session',
];

export interface BubblewrapSetup {
  readonly variant: Variant;
  /** Private folder for the few files that are mounted over the system's. */
  readonly folder: string;
  readonly toolchain: readonly string[];
}

interface Ready {
  readonly args: readonly string[];
  readonly path: string;
}

const prepare = async ({ variant, folder, toolchain }: BubblewrapSetup): Promise<Ready> => {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const files: string[] = [];
  for (const [name, content] of Object.entries(FILES)) {
    await writeFile(join(folder, name), content, { mode: 0o644 });
    files.push('--ro-bind', join(folder, name), `/etc/${name}`);
  }
  const tools = toolchain.flatMap((tool) => ['--ro-bind', tool, tool]);
  const args = [
    ...variant.args,
    ...ISOLATION,
    ...(await systemMounts()),
    ...files,
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    '--size',
    TMPFS_BYTES,
    '--tmpfs',
    '/tmp',
    '--dir',
    '/var',
    '--symlink',
    '../tmp',
    '/var/tmp',
    '--dir',
    '/run',
    '--size',
    TMPFS_BYTES,
    '--tmpfs',
    HOME,
    ...tools,
  ];
  return { args, path: [...(await programFolders(toolchain)), SYSTEM_PATH].join(':') };
};

const argumentsFor = (ready: Ready, order: ConfinedOrder): string[] => [
  ...ready.args,
  ...order.readable.flatMap(({ from, to }) => ['--ro-bind', from, to]),
  '--bind',
  order.workspace,
  '/workspace',
  ...(order.out === undefined ? [] : ['--bind', order.out, '/out']),
  // The root itself is a writable tmpfs until here. The kernel lets whoever maps to root write /proc/sys, capabilities or not, so a
  // daemon that runs as root would give away the settings of the whole machine.
  '--remount-ro',
  '/proc',
  '--remount-ro',
  '/',
  '--chdir',
  '/workspace',
  '--info-fd',
  '3',
  '--',
  ...order.argv,
];

const environmentFor = (ready: Ready, order: ConfinedOrder, mark: string): Record<string, string> => ({
  HOME,
  USER: 'fairlead',
  LOGNAME: 'fairlead',
  SHELL: '/bin/sh',
  LANG: 'C.UTF-8',
  TERM: 'dumb',
  TMPDIR: '/tmp',
  ...order.env,
  PATH: ready.path,
  [MARK]: mark,
  ...(order.out !== undefined && { FAIRLEAD_OUT: '/out' }),
});

/** The pid, on the host, of the first process in the new pid namespace; undefined when bubblewrap failed before it. */
const innerPid = (info: string): number | undefined => {
  const found = /"child-pid":\s*(\d+)/.exec(info);
  return found ? Number(found[1]) : undefined;
};

/** When the first process of a pid namespace ends, the kernel has ended all others in it; so both ends are looked at. */
const endingOf = (outer: { pid: number; started: string }, inner: { pid: number; started: string }): Ending => ({
  term: async () => {
    for (const pid of await descendantsOf(inner.pid)) signalPid(pid, 'SIGTERM');
  },
  kill: async () => {
    if (await isAlive(inner)) signalPid(inner.pid, 'SIGKILL');
    else if (await isAlive(outer)) signalPid(outer.pid, 'SIGKILL');
  },
  gone: async () => !(await isAlive(inner)) && !(await isAlive(outer)),
});

const unavailable = (detail: string, cause?: unknown): FairleadError =>
  new FairleadError('sandbox_unavailable', { detail, ...(cause !== undefined && { cause }) });

const checkMounts = async (order: ConfinedOrder): Promise<void> => {
  for (const from of [order.workspace, ...(order.out === undefined ? [] : [order.out]), ...order.readable.map((mount) => mount.from)]) {
    if (!(await exists(from))) throw unavailable('A folder that the order names does not exist');
  }
};

/** bubblewrap: namespaces of its own for processes, network, IPC and host name, and a file system that holds only what is mounted here. */
export const bubblewrap = async (setup: BubblewrapSetup): Promise<Sandbox> => {
  const ready = await prepare(setup);
  return {
    kind: 'bubblewrap',
    detail: `bubblewrap (${setup.variant.name}): no network, no home, only the checkout is writable; memory and the number of processes are not limited`,
    async start(order) {
      await checkMounts(order);
      const mark = randomBytes(12).toString('hex');
      const bwrap = { PATH: searchPath() };
      const launched = {
        file: 'bwrap',
        args: argumentsFor(ready, order),
        cwd: '/',
        env: { ...bwrap, ...environmentFor(ready, order, mark) },
        detached: false,
        info: true,
      };
      const bwrapped = await launchChild(launched, order.output).catch((cause: unknown) => {
        throw unavailable('bubblewrap could not be started', cause);
      });
      const { child } = bwrapped;
      const outer = { pid: child.pid!, started: (await startTokenOf(child.pid!)) ?? 'ended' };
      const inner = innerPid(await bwrapped.info);
      if (inner === undefined) child.kill('SIGKILL');
      const ending = endingOf(outer, inner === undefined ? outer : { pid: inner, started: (await startTokenOf(inner)) ?? 'ended' });
      return followChild(bwrapped, order, ending, { mark });
    },
  };
};
