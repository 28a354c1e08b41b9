import { mkdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { INSIDE, type Sandbox } from './confined.ts';
import type { ControlGroups } from './control-groups.ts';
import { readMountTable, type BeneathOf } from './mount-table.ts';
import { detailOf, namespaced, type Inside } from './namespaced.ts';
import { descendantsOf, parentOf } from './process-table.ts';
import { IN_MEMORY_BYTES, prepareRoom, type Fixture, type Room } from './room.ts';

/** How far this machine lets util-linux go; the strongest that works is taken. */
export const UNSHARE_VARIANTS = [
  { name: 'user namespace, no further ones', args: ['--user', '--map-user=1000', '--map-group=1000', '--keep-caps'] },
  // The limit of namespaces would be that of the whole machine here, so it is left alone.
  { name: 'no user namespace, all capabilities dropped', args: [] },
] as const;
export type UnshareVariant = (typeof UNSHARE_VARIANTS)[number];

/** In a session of its own, and never longer there than the daemon. */
const LAUNCH = ['setsid', 'setpriv', '--pdeathsig', 'KILL', '--', 'unshare'];
const NAMESPACES = ['--mount', '--pid', '--net', '--ipc', '--uts', '--cgroup', '--fork', '--kill-child=KILL', '--'];

export interface UnshareSetup {
  readonly variant: UnshareVariant;
  readonly groups?: ControlGroups;
  /** Private folder for the few files that are mounted over the system's. */
  readonly folder: string;
  readonly toolchain: readonly string[];
}

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
const words = (...texts: readonly string[]): string => texts.map(quoted).join(' ');
/** A field of a table of mounts. */
const field = (text: string): string => text.replaceAll(/[\s\\]/g, (found) => `\\${found.charCodeAt(0).toString(8).padStart(3, '0')}`);

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'] as const;
const DEVICE_LINKS: readonly (readonly [name: string, target: string])[] = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
  ['ptmx', 'pts/ptmx'],
];

const isFolder = async (path: string): Promise<boolean> => (await stat(path)).isDirectory();

/** Makes the points, links and folders of a room once, which every sandbox then copies. */
const makeSkeleton = async (folder: string, fixtures: readonly Fixture[]): Promise<void> => {
  const at = (path: string): string => join(folder, path);
  const file = async (path: string): Promise<void> => {
    await mkdir(dirname(at(path)), { recursive: true });
    await writeFile(at(path), '');
  };
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o755 });
  for (const fixture of fixtures) {
    if (fixture.what === 'link') {
      await mkdir(dirname(at(fixture.to)), { recursive: true });
      await symlink(fixture.target, at(fixture.to));
    } else if (fixture.what === 'shown' && !(await isFolder(fixture.from))) await file(fixture.to);
    else await mkdir(at(fixture.to), { recursive: true });
    if (fixture.what !== 'dev') continue;
    await mkdir(at(`${fixture.to}/pts`));
    for (const name of DEVICES) await file(`${fixture.to}/${name}`);
    for (const [name, target] of DEVICE_LINKS) await symlink(target, at(`${fixture.to}/${name}`));
  }
};

/** How a path is shown: what to mount, and what of it must be made read-only afterwards. */
interface Shown {
  readonly options: string;
  readonly later: readonly { readonly to: string; readonly options: string }[];
}

const shownBy = async (beneath: BeneathOf, from: string, to: string, writable: boolean): Promise<Shown> => {
  const flags = (noexec: boolean): string => [writable ? 'rw' : 'ro', 'nosuid', 'nodev', ...(noexec ? ['noexec'] : [])].join(',');
  const { noexec, deeper } = await beneath(from);
  return {
    options: `${deeper.length > 0 ? 'rbind' : 'bind'},${flags(noexec)}`,
    // What is mounted deeper comes along with its own flags, and is made read-only apart.
    later: writable ? [] : deeper.map((mount) => ({ to: join(to, mount.path), options: `remount,bind,${flags(mount.noexec)}` })),
  };
};

/** The table of all mounts of a room, for one call of `mount`, and the lines of a script that come after it. */
const mountsOfRoom = async (root: string, fixtures: readonly Fixture[]): Promise<{ readonly table: string; readonly lines: string[] }> => {
  const beneath = await readMountTable();
  const rows: string[] = [];
  const lines: string[] = [];
  const row = (from: string, to: string, type: string, options: string): void =>
    void rows.push(`${field(from)} ${field(join(root, to))} ${type} ${options} 0 0\n`);
  for (const fixture of fixtures) {
    const { to } = fixture;
    if (fixture.what === 'shown') {
      const { options, later } = await shownBy(beneath, fixture.from, to, false);
      row(fixture.from, to, 'none', options);
      for (const mount of later) lines.push(`mount -o ${mount.options} ${quoted(join(root, mount.to))}`);
    } else if (fixture.what === 'memory')
      row('fairlead', to, 'tmpfs', `nosuid,nodev,mode=${to === INSIDE.home ? '700' : '1777'},size=${IN_MEMORY_BYTES}`);
    else if (fixture.what === 'proc') row('proc', to, 'proc', 'nosuid,nodev,noexec');
    else if (fixture.what === 'dev') {
      for (const name of DEVICES) row(`/dev/${name}`, `${to}/${name}`, 'none', 'bind');
      row('devpts', `${to}/pts`, 'devpts', 'newinstance,ptmxmode=0666,mode=0620,nosuid,noexec');
    }
  }
  return { table: rows.join(''), lines };
};

/** The lines that mount what an order brings. A point that is there already stays as it is. */
const mountsOfOrder = async (root: string, mounts: Inside['mounts']): Promise<string[]> => {
  const beneath = await readMountTable();
  const lines: string[] = [];
  for (const { from, to, writable } of mounts) {
    const target = join(root, to);
    const { options, later } = await shownBy(beneath, from, to, writable);
    lines.push(
      (await isFolder(from))
        ? `[ -d ${quoted(target)} ] || mkdir -p ${quoted(target)}`
        : `[ -e ${quoted(target)} ] || { mkdir -p ${quoted(dirname(target))}; : > ${quoted(target)}; }`,
      `mount -o ${options} ${words(from, target)}`,
      ...later.map((mount) => `mount -o ${mount.options} ${quoted(join(root, mount.to))}`),
    );
  }
  return lines;
};

const READY = 'ready';
const SAID_READY = new RegExp(`^${READY}$`, 'm');

/** From the root that was built into it, and nothing of the other is left. */
const enter = (root: string, variant: UnshareVariant): string[] => [
  `cd ${quoted(root)}`,
  'mkdir .old',
  'pivot_root . .old',
  'cd /',
  // It notes nothing elsewhere (`-n`): inside a user namespace it would look for what it may unmount in files that are not there.
  'umount -n -l /.old',
  'rmdir /.old',
  'ip link set lo up',
  'echo fairlead > /proc/sys/kernel/hostname',
  ...(variant.args.length > 0 ? ['echo 0 > /proc/sys/user/max_user_namespaces'] : []),
  'mount -o remount,bind,ro,nosuid,nodev,noexec /proc',
  'mount -o remount,bind,ro,nosuid,nodev /',
];

/**
 * It is the first process of its namespace, which ends with it, and collects the processes that lost their parents. It holds no rights
 * any more, so that what steers the programs of the order may come into the environment.
 */
const first = (late: Inside['late_env']): string =>
  [...Object.entries(late).map(([name, value]) => `export ${name}=${quoted(value)}`), '"$@"', 'exit $?'].join('\n');

/** Everything of a room that is the same for each order. */
interface Prepared {
  readonly variant: UnshareVariant;
  readonly room: Room;
  /** Empty folder on which each sandbox builds its own root. */
  readonly root: string;
  readonly skeleton: string;
  readonly table: string;
  /** After the mounts of the table. */
  readonly lines: readonly string[];
}

const scriptFor = async ({ variant, room, root, skeleton, table, lines }: Prepared, { mounts, late_env }: Inside): Promise<string> =>
  [
    'set -eu',
    'export PATH="$PATH:/usr/sbin:/sbin"',
    // What goes wrong here is told to the daemon; what the order says goes where it belongs.
    'exec 5>&2 2>&3',
    `mount -t tmpfs -o nosuid,nodev,mode=755,size=16m fairlead ${quoted(root)}`,
    `cp -a ${quoted(`${skeleton}/.`)} ${quoted(root)}`,
    `mount -a -T ${quoted(table)}`,
    ...lines,
    ...(await mountsOfOrder(root, mounts)),
    ...enter(root, variant),
    `echo ${READY} >&3`,
    'exec 2>&5 3>&- 5>&-',
    `cd ${INSIDE.workspace}`,
    `export PATH=${quoted(room.path)}`,
    // A change of rights made the kernel forget that this process is to end with its parent.
    `exec /usr/bin/setpriv --pdeathsig KILL --no-new-privs --bounding-set=-all --inh-caps=-all --ambient-caps=-all -- /bin/sh -c ${quoted(first(late_env))} fairlead "$@"`,
  ].join('\n');

/**
 * The same namespaces with what util-linux brings, which nearly every Linux has: for machines without bubblewrap. Slower to start, and
 * without a filter for system calls.
 */
export const unshare = async ({ variant, groups, folder, toolchain }: UnshareSetup): Promise<Sandbox> => {
  const room = await prepareRoom(folder, toolchain);
  const [root, skeleton, table] = ['root', 'skeleton', 'mounts'].map((name) => join(folder, name)) as [string, string, string];
  await mkdir(root, { recursive: true, mode: 0o700 });
  await makeSkeleton(skeleton, room.fixtures);
  const made = await mountsOfRoom(root, room.fixtures);
  await writeFile(table, made.table, { mode: 0o600 });
  const prepared = { variant, room, root, skeleton, table, lines: made.lines };
  return namespaced({
    kind: 'unshare',
    detail: detailOf(`unshare of util-linux (${variant.name})`, { groups, filtered: false }),
    room,
    groups,
    filter: undefined,
    command: async (inside) => [
      ...LAUNCH,
      ...variant.args,
      ...NAMESPACES,
      '/bin/sh',
      '-c',
      await scriptFor(prepared, inside),
      'fairlead',
      ...inside.argv,
    ],
    info: SAID_READY,
    innerPid: async (info, outer) =>
      SAID_READY.test(info) ? (await descendantsOf(outer)).find((pid) => parentOf(pid) === outer) : undefined,
  });
};
