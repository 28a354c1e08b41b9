import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ControlGroups } from './control-groups.ts';
import { INSIDE, type Sandbox } from './confined.ts';
import { detailOf, namespaced } from './namespaced.ts';
import { IN_MEMORY_BYTES, prepareRoom, type Fixture } from './room.ts';
import { systemCallFilter } from './system-calls.ts';

/** How far this machine lets bubblewrap go; the strongest that works is taken. */
export const VARIANTS = [
  { name: 'user namespace, no further ones', args: ['--unshare-user', '--disable-userns', '--uid', '1000', '--gid', '1000'] },
  { name: 'user namespace', args: ['--unshare-user', '--uid', '1000', '--gid', '1000'] },
  { name: 'no user namespace, all capabilities dropped', args: ['--cap-drop', 'ALL'] },
] as const;
export type Variant = (typeof VARIANTS)[number];

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

/** The arguments that make a fixture. */
const argumentsOf = (fixture: Fixture): string[] => {
  switch (fixture.what) {
    case 'shown':
      return ['--ro-bind', fixture.from, fixture.to];
    case 'link':
      return ['--symlink', fixture.target, fixture.to];
    case 'memory':
      return ['--size', String(IN_MEMORY_BYTES), '--tmpfs', fixture.to];
    case 'folder':
      return ['--dir', fixture.to];
    default:
      return [`--${fixture.what}`, fixture.to];
  }
};

/** The pid is in the words of bubblewrap, unless it failed before there was one. */
const innerPid = (info: string): number | undefined => {
  const found = /"child-pid":\s*(\d+)/.exec(info);
  return found ? Number(found[1]) : undefined;
};

/** bubblewrap: namespaces of its own for processes, network, IPC and host name, and a file system that holds only what is mounted here. */
export const bubblewrap = async ({ variant, filtered, groups, folder, toolchain }: BubblewrapSetup): Promise<Sandbox> => {
  const room = await prepareRoom(folder, toolchain);
  const program = filtered ? systemCallFilter() : undefined;
  const filter = program && join(folder, 'system-calls.bpf');
  if (filter !== undefined) await writeFile(filter, program!, { mode: 0o600 });
  const fixed = [
    ...variant.args,
    ...ISOLATION,
    ...room.fixtures.flatMap(argumentsOf),
    '--setenv',
    'PATH',
    room.path,
    ...(filter === undefined ? [] : ['--seccomp', '4']),
  ];
  return namespaced({
    kind: 'bubblewrap',
    detail: detailOf(`bubblewrap (${variant.name})`, { groups, filtered: filter !== undefined }),
    room,
    groups,
    filter,
    command: ({ mounts, argv, late_env }) => [
      'bwrap',
      ...fixed,
      ...mounts.flatMap(({ from, to, writable }) => [writable ? '--bind' : '--ro-bind', from, to]),
      // The root itself is a writable tmpfs until here, and so is /dev. The kernel lets whoever maps to root write /proc/sys, capabilities
      // or not, so a daemon that runs as root would give away the settings of the whole machine.
      ...['/proc', '/dev', '/'].flatMap((path) => ['--remount-ro', path]),
      ...Object.entries(late_env).flatMap(([name, value]) => ['--setenv', name, value]),
      '--chdir',
      INSIDE.workspace,
      '--info-fd',
      '3',
      '--',
      ...argv,
    ],
    info: /\}/,
    innerPid,
  });
};
