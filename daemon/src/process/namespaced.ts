import { constants } from 'node:os';
import { open } from 'node:fs/promises';
import { FairleadError } from '@fairlead/shared/contract/errors';
import type { Confinement } from '@fairlead/shared/contract/states';
import { followChild, launchChild, type Ending, type Exit } from './child.ts';
import type { ControlGroup, ControlGroups } from './control-groups.ts';
import { INSIDE, ROOM_ENVIRONMENT, type ConfinedOrder, type Sandbox } from './confined.ts';
import { checkMounts, mountedPlaces, mountsOf, placed, type PlannedMount } from './places.ts';
import { descendantsOf, isAlive, MARK, nameProcess, newMark, parentOf, signalPid, type ProcessName } from './process-table.ts';
import type { Room } from './room.ts';
import { searchPath } from './run.ts';
import { limitsOf, lookAtNamespace } from './usage.ts';

/** What is to run inside, and what only it is to see. */
export interface Inside {
  /** Of the order, in the order of mounting. */
  readonly mounts: readonly PlannedMount[];
  readonly argv: readonly string[];
  /** Variables that would change the maker itself, which holds more rights than the order. */
  readonly late_env: Readonly<Record<string, string>>;
}

/** One program that makes the namespaces of an order. */
export interface Maker {
  readonly kind: Confinement;
  readonly detail: string;
  readonly room: Room;
  readonly groups: ControlGroups | undefined;
  /** A file that is its descriptor 4. */
  readonly filter: string | undefined;
  command(inside: Inside): readonly string[] | Promise<readonly string[]>;
  /** What ends its words on descriptor 3. */
  readonly info: RegExp;
  /**
   * The pid, on the host, of the first process in the new pid namespace; undefined when it was never reached.
   * @param info what was written to descriptor 3 @param outer pid of the program
   */
  innerPid(info: string, outer: number): number | undefined | Promise<number | undefined>;
}

const environmentFor = (order: ConfinedOrder, mark: string): Record<string, string> => ({
  ...ROOM_ENVIRONMENT,
  ...placed(order.env, mountedPlaces(order)),
  [MARK]: mark,
  ...(order.out !== undefined && { FAIRLEAD_OUT: INSIDE.out }),
});

/** Variables that the dynamic linker and the shell read, and with them every program that runs on the way in. */
const STEERS = /^(?:LD_\w*|GLIBC_TUNABLES|MALLOC_\w*|GCONV_PATH|LOCPATH|ENV|IFS|PS4)$/;

const splitEnv = (env: Readonly<Record<string, string>>): { early: Record<string, string>; late: Record<string, string> } => {
  const entries = Object.entries(env);
  return {
    early: Object.fromEntries(entries.filter(([name]) => !STEERS.test(name))),
    late: Object.fromEntries(entries.filter(([name]) => STEERS.test(name))),
  };
};

/** When the first process of a pid namespace ends, the kernel has ended all others in it; so both ends are looked at. */
const endingOf = (outer: ProcessName, inner: ProcessName, bridged: boolean): Ending => ({
  term: async () => {
    for (const pid of await descendantsOf(inner.pid)) {
      // The bridge passes the signal on to what it started, which gets it here already; a program may take a second one for haste.
      if (bridged && parentOf(pid) === inner.pid) continue;
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

/** The end by a signal is passed on as an exit code. */
const exitOf = ({ code, signal }: Exit): Exit => ({ code, signal: signal ?? (code === null ? null : (SIGNALS.get(code) ?? null)) });

/** What such a sandbox is and what it does not do, in plain words. */
export const detailOf = (
  what: string,
  { groups, filtered }: { readonly groups: ControlGroups | undefined; readonly filtered: boolean },
): string =>
  [
    `${what}: no network but what is forwarded, no home but what is given, only the checkout and what is given is writable`,
    'processes, memory and disk are looked at several times a second, and what takes too much is ended',
    ...(groups === undefined ? [] : ['processes and memory are limited by the kernel too']),
    ...(filtered ? [] : ['system calls are not filtered, so keyrings of whoever started the daemon can be read']),
  ].join('; ');

/** Runs orders in namespaces of their own for processes, files, network, IPC and host name, which `maker` makes. */
export const namespaced = (maker: Maker): Sandbox => ({
  kind: maker.kind,
  detail: maker.detail,
  async start(order) {
    const forwards = order.network?.forwards ?? [];
    const bridge = forwards.length === 0 ? undefined : maker.room.bridgeTo(forwards);
    const mounts = [...(bridge?.mounts ?? []), ...mountsOf(order)];
    await checkMounts(mounts);
    const mark = newMark(order.owner ?? 'nobody');
    const places = mountedPlaces(order);
    const real = { argv: placed(order.argv, places), env: environmentFor(order, mark) };
    const { argv, env } = bridge ? bridge.wrap(real.argv, real.env) : real;
    const { early, late } = splitEnv(env);
    const command = await maker.command({ mounts, argv, late_env: late });
    const limits = limitsOf(order.limits);
    const group = await maker.groups?.make(limits).catch((cause: unknown) => {
      throw unavailable('A control group could not be made', cause);
    });
    const [file = '', ...args] = group ? joining(group, command) : command;
    const launched = {
      file,
      args,
      cwd: '/',
      // This path finds the maker itself; inside it is replaced by that of the room.
      env: { ...early, PATH: searchPath() },
      detached: false,
      info: maker.info,
    };
    // The maker reads it to its end, and a descriptor that two read has one place in the file; so each has its own.
    const filter = maker.filter === undefined ? undefined : await open(maker.filter, 'r');
    const started = await launchChild({ ...launched, ...(filter && { file4: filter.fd }) }, order.output)
      .catch(async (cause: unknown) => {
        await group?.remove();
        throw unavailable(`${maker.kind} could not be started`, cause);
      })
      .finally(() => filter?.close());
    const { child } = started;
    const outer = await nameProcess(child.pid!);
    const info = await started.info;
    const inner = await maker.innerPid(info, outer.pid);
    if (inner === undefined) {
      child.kill('SIGKILL');
      // Why it was never reached is all that there is to say of the order.
      if (info !== '') order.output(Buffer.from(info), 'stderr');
    }
    const ending = endingOf(outer, inner === undefined ? outer : await nameProcess(inner), bridge !== undefined);
    const inMemory = ['tmp', 'dev/shm', ...(order.home === undefined ? [INSIDE.home] : [])];
    const look = () => (inner === undefined ? Promise.resolve(undefined) : lookAtNamespace(`/proc/${inner}/root`, inMemory, limits));
    const grouped = group && { outOfMemory: group.outOfMemory, cleaned: group.remove };
    return followChild(started, order, ending, { places, exitOf, look, ...grouped });
  },
});
