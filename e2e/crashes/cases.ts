import type { PartName } from '../rig/stack.ts';
import { git } from '../rig/repositories.ts';
import { layGround, type Ground } from './ground.ts';
import { STORIES, type StoryName } from './stories.ts';
import { truthHolds } from './truth.ts';

/** A message of a story's line, counted among those of its name: `relay request submit_task 1`. */
export type Boundary = string;

/** A death: at a message on the line, or by the daemon's own hand at one of its journal points. */
export type Death = { readonly victim: PartName; readonly at: Boundary; readonly when: 'before' | 'after' } | { readonly point: string };

export const nameOf = (death: Death): string =>
  'point' in death ? `daemon at ${death.point}` : `${death.victim} ${death.when} ${death.at}`;

/** Arms deaths on the line. A message before which an end of the line died is lost with it. */
const arm = (ground: Ground, deaths: readonly Death[]) => {
  const seen = new Map<string, number>();
  const boundaries: Boundary[] = [];
  let waiting = deaths.flatMap((death) => ('point' in death ? [] : [death]));
  let fired = 0;
  ground.wire.watch(({ from, name }, pass) => {
    const count = (seen.get(`${from} ${name}`) ?? 0) + 1;
    seen.set(`${from} ${name}`, count);
    const at = `${from} ${name} ${count}`;
    boundaries.push(at);
    const due = waiting.filter((death) => death.at === at);
    waiting = waiting.filter((death) => death.at !== at);
    const strike = (when: 'before' | 'after') => due.filter((death) => death.when === when && ground.kill(death.victim));
    const before = strike('before');
    if (!before.some(({ victim }) => victim !== 'daemon')) pass();
    fired += before.length + strike('after').length;
  });
  return { boundaries, fired: () => fired };
};

/** Whether messages of this name were there twice before: a third wait is no different from the second. */
export const isRepetition = (at: Boundary): boolean => Number(at.slice(at.lastIndexOf(' '))) > 2;

/** `before` and `after` every message that a story's line was seen to carry. */
export const deathsOf = (victim: PartName, boundaries: readonly Boundary[]): Death[] =>
  boundaries.flatMap((at) => [{ victim, at, when: 'before' } as const, { victim, at, when: 'after' } as const]);

export interface Played {
  /** Deaths that happened; a later one may find its victim dead, or its message never sent. */
  readonly fired: number;
  readonly boundaries: readonly Boundary[];
}

export interface CrashField {
  readonly ground: Ground;
  /** Plays one story with these deaths on its way, and holds the stack to its word. */
  play(story: StoryName, deaths: readonly Death[]): Promise<Played>;
  close(): Promise<void>;
}

/** One stack on which many cases are played, one after the other: only what died is started again. */
export const openField = async (): Promise<CrashField> => {
  const ground = await layGround();
  const origin = git(ground.repo, 'rev-parse', 'main');
  let count = 0;
  const playOut = async (story: StoryName, deaths: readonly Death[], since: string): Promise<Played> => {
    const point = deaths.flatMap((death) => ('point' in death ? [death.point] : []))[0];
    const daemonKills = ground.kills.daemon;
    if (point !== undefined) await ground.restart('daemon', '--crash-at', point);
    const armed = arm(ground, deaths);
    // A new session each time: the handshake is a part of the story, and a reconnection does not wait longer and longer.
    await ground.restart('connector');
    await STORIES[story](ground, `k${++count}`);
    await ground.standing();
    const fired = armed.fired() + (point !== undefined && ground.kills.daemon > daemonKills ? 1 : 0);
    ground.wire.watch(undefined);
    await truthHolds(ground, { origin, since });
    return { fired, boundaries: armed.boundaries };
  };
  return {
    ground,
    async play(story, deaths) {
      const since = new Date().toISOString();
      ground.forget();
      const name = [story, ...deaths.map(nameOf)].join(', ');
      try {
        return await playOut(story, deaths, since);
      } catch (error) {
        const logs = Object.values(ground.stack.parts).map((part) => `--- ${part.name}\n${part.log()}`);
        throw new Error([`${name}: ${(error as Error).message}`, ...logs].join('\n'), { cause: error });
      }
    },
    close: ground.close,
  };
};
