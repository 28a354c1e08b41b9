import { lstat, mkdir, open, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { randomBytes } from '@fairlead/shared/kit/clock';
import { constants } from 'node:os';
import { prepareBridge, type Bridge } from './bridge.ts';
import { followChild, launchChild, type Ending, type Exit } from './child.ts';
import type { ControlGroup, ControlGroups } from './control-groups.ts';
import { INSIDE, type ConfinedOrder, type Forward, type Sandbox } from './confined.ts';
import { checkMounts, mountedPlaces, mountsOf, placed, type PlannedMount } from './places.ts';
import { descendantsOf, innermostPidOf, isAlive, MARK, signalPid, startTokenOf, type ProcessName } from './process-table.ts';
import { searchPath } from './run.ts';
import { systemCallFilter } from './system-calls.ts';
import { limitsOf, lookAtNamespace } from './usage.ts';

/** How far this machine lets bubblewrap go; the strongest that works is taken. */
export const VARIANTS = [
  { name: 'user namespace, no further ones', args: ['--unshare-user', '--disable-userns', '--uid', '1000', '--gid', '1000'] },
  { name: 'user namespace', args: ['--unshare-user', '--uid', '1000', '--gid', '1000'] },
  { name: 'no user namespace, all capabilities dropped', args: ['--cap-drop', 'ALL'] },
] as const;
export type Variant = (typeof VARIANTS)[number];

const HOME = INSIDE.home;
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
  /** Whether system calls are filtered; not every kernel can, and not every processor's numbers are known. */
  readonly filtered: boolean;
  /** Where this machine lends us control groups. */
  readonly groups?: ControlGroups;
  /** Private folder for the few files that are mounted over the system's. */
  readonly folder: string;
  readonly toolchain: readonly string[];
}

interface Ready {
  readonly args: readonly string[];
  /** The file with the filter of system calls. */
  readonly filter: string | undefined;
  readonly bridgeTo: (forwards: readonly Forward[]) => Bridge;
}

const prepare = async ({ variant, filtered, folder, toolchain }: BubblewrapSetup): Promise<Ready> => {
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
    '--size',
    TMPFS_BYTES,
    '--tmpfs',
    '/dev/shm',
    ...tools,
    '--setenv',
    'PATH',
    [...(await programFolders(toolchain)), SYSTEM_PATH].join(':'),
  ];
  const program = filtered ? systemCallFilter() : undefined;
  const filter = program && join(folder, 'system-calls.bpf');
  if (filter !== undefined) await writeFile(filter, program!, { mode: 0o600 });
  const visible = [...SYSTEM_FOLDERS, ...toolchain];
  return {
    args: filter === undefined ? args : [...args, '--seccomp', '4'],
    filter,
    bridgeTo: await prepareBridge(folder, (path) => visible.some((shown) => path.startsWith(`${shown}/`))),
  };
};

const argumentsFor = (ready: Ready, mounts: readonly PlannedMount[], argv: readonly string[]): string[] => [
  ...ready.args,
  ...mounts.flatMap(({ from, to, writable }) => [writable ? '--bind' : '--ro-bind', from, to]),
  // The root itself is a writable tmpfs until here, and so is /dev. The kernel lets whoever maps to root write /proc/sys, capabilities
  // or not, so a daemon that runs as root would give away the settings of the whole machine.
  '--remount-ro',
  '/proc',
  '--remount-ro',
  '/dev',
  '--remount-ro',
  '/',
  '--chdir',
  INSIDE.workspace,
  '--info-fd',
  '3',
  '--',
  ...argv,
];

const environmentFor = (order: ConfinedOrder, mark: string): Record<string, string> => ({
  HOME,
  USER: 'fairlead',
  LOGNAME: 'fairlead',
  SHELL: '/bin/sh',
  LANG: 'C.UTF-8',
  TERM: 'dumb',
  TMPDIR: '/tmp',
  ...placed(order.env, mountedPlaces(order)),
  [MARK]: mark,
  ...(order.out !== undefined && { FAIRLEAD_OUT: INSIDE.out }),
});

/** The pid, on the host, of the first process in the new pid namespace; undefined when bubblewrap failed before it. */
const innerPid = (info: string): number | undefined => {
  const found = /"child-pid":\s*(\d+)/.exec(info);
  return found ? Number(found[1]) : undefined;
};

/** In its own pid namespace: bubblewrap itself is the first process there, and what it starts the second. */
const FIRST_PROGRAM = 2;

/** When the first process of a pid namespace ends, the kernel has ended all others in it; so both ends are looked at. */
const endingOf = (outer: ProcessName, inner: ProcessName, bridged: boolean): Ending => ({
  term: async () => {
    for (const pid of await descendantsOf(inner.pid)) {
      // The bridge passes the signal on to what it started, which gets it here already; a program may take a second one for haste.
      if (bridged && innermostPidOf(pid) === FIRST_PROGRAM) continue;
      signalPid(pid, 'SIGTERM');
    }
  },
  kill: async () => {
    if (await isAlive(inner)) signalPid(inner.pid, 'SIGKILL');
    else if (await isAlive(outer)) signalPid(outer.pid, 'SIGKILL');
  },
  gone: async () => !(await isAlive(inner)) && !(await isAlive(outer)),
});

const unavailable = (detail: string, cause?: unknown): FairleadError =>
  new FairleadError('sandbox_unavailable', { detail, ...(cause !== undefined && { cause }) });

/** A shell joins the group and becomes the program, so that nothing of the order is ever outside of it. */
const joining = ({ members }: ControlGroup, command: readonly string[]): string[] => [
  '/bin/sh',
  '-c',
  'echo $$ > "$0" && exec "$@"',
  members,
  ...command,
];

const SIGNALS = new Map<number, string>(Object.entries(constants.signals).map(([name, number]) => [128 + number, name]));

/** bubblewrap passes on the end by a signal as an exit code. */
const exitOf = ({ code, signal }: Exit): Exit => ({ code, signal: signal ?? (code === null ? null : (SIGNALS.get(code) ?? null)) });

const detailOf = ({ variant, groups }: BubblewrapSetup, { filter }: Ready): string =>
  [
    `bubblewrap (${variant.name}): no network but what is forwarded, no home but what is given, only the checkout and what is given is writable`,
    'processes, memory and disk are looked at several times a second, and what takes too much is ended',
    ...(groups === undefined ? [] : ['processes and memory are limited by the kernel too']),
    ...(filter === undefined ? ['system calls are not filtered, so keyrings of whoever started the daemon can be read'] : []),
  ].join('; ');

/** bubblewrap: namespaces of its own for processes, network, IPC and host name, and a file system that holds only what is mounted here. */
export const bubblewrap = async (setup: BubblewrapSetup): Promise<Sandbox> => {
  const ready = await prepare(setup);
  return {
    kind: 'bubblewrap',
    detail: detailOf(setup, ready),
    async start(order) {
      const forwards = order.network?.forwards ?? [];
      const bridge = forwards.length === 0 ? undefined : ready.bridgeTo(forwards);
      const mounts = [...(bridge?.mounts ?? []), ...mountsOf(order)];
      await checkMounts(mounts);
      const mark = randomBytes(12).toString('hex');
      const places = mountedPlaces(order);
      const real = { argv: placed(order.argv, places), env: environmentFor(order, mark) };
      const { argv, env } = bridge ? bridge.wrap(real.argv, real.env) : real;
      const limits = limitsOf(order.limits);
      const group = await setup.groups?.make(limits).catch((cause: unknown) => {
        throw unavailable('A control group could not be made', cause);
      });
      const command = ['bwrap', ...argumentsFor(ready, mounts, argv)];
      const [file = '', ...args] = group ? joining(group, command) : command;
      const launched = {
        file,
        args,
        cwd: '/',
        // This path finds bwrap itself; inside it is replaced by that of the order.
        env: { ...env, PATH: searchPath() },
        detached: false,
        info: true,
      };
      // bubblewrap reads it to its end, and a descriptor that two read has one place in the file; so each has its own.
      const filter = ready.filter === undefined ? undefined : await open(ready.filter, 'r');
      const bwrapped = await launchChild({ ...launched, ...(filter && { file4: filter.fd }) }, order.output)
        .catch(async (cause: unknown) => {
          await group?.remove();
          throw unavailable('bubblewrap could not be started', cause);
        })
        .finally(() => filter?.close());
      const { child } = bwrapped;
      const outer = { pid: child.pid!, started: (await startTokenOf(child.pid!)) ?? 'ended' };
      const inner = innerPid(await bwrapped.info);
      if (inner === undefined) child.kill('SIGKILL');
      const ending = endingOf(
        outer,
        inner === undefined ? outer : { pid: inner, started: (await startTokenOf(inner)) ?? 'ended' },
        bridge !== undefined,
      );
      const inMemory = ['tmp', 'dev/shm', ...(order.home === undefined ? [HOME] : [])];
      const look = () => (inner === undefined ? Promise.resolve(undefined) : lookAtNamespace(`/proc/${inner}/root`, inMemory, limits));
      const grouped = group && { outOfMemory: group.outOfMemory, cleaned: group.remove };
      return followChild(bwrapped, order, ending, { mark, places, exitOf, look, ...grouped });
    },
  };
};
