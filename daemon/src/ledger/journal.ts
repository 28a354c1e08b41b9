import type { EventType } from '@fairlead/shared/contract/resources';

/** Lines of history whose commit is a point at which a crash must leave the truth. All lie on the way of a step from queue to end. */
const JOURNALED = [
  'step.queued',
  'step.prepared',
  'attempt.started',
  'step.started',
  'step.executed',
  'attempt.ended',
  'change.recorded',
  'step.collected',
  'validation.recorded',
  'gate.opened',
  'step.held',
  'gate.approved',
  'step.approved',
  'change.integrating',
  'change.integrated',
  'step.stop_requested',
  'step.requeued',
  'gate.rejected',
  'change.discarded',
  'step.ended',
] as const satisfies readonly EventType[];

/** Effects outside of the ledger, each with a point before and after it. */
const EFFECTS = {
  snapshot: 'the snapshot commit in the store',
  objects: "the transfer of objects into the user's repository",
  ref: "the compare-and-swap of the user's ref",
} as const;

type JournalPoint = `${(typeof JOURNALED)[number]}:${'before' | 'after'}` | `effect.${keyof typeof EFFECTS}:${'before' | 'after'}`;

interface JournalPointFacts {
  readonly name: JournalPoint;
  /** Where it is, in words. */
  readonly where: string;
}

const pair = (name: string, before: string, after: string): JournalPointFacts[] => [
  { name: `${name}:before` as JournalPoint, where: before },
  { name: `${name}:after` as JournalPoint, where: after },
];

/** The one table of journal points: kill -9 at each of them leaves every step's truth, once. The crash test iterates it. */
export const JOURNAL_POINTS: readonly JournalPointFacts[] = [
  ...JOURNALED.flatMap((type) =>
    pair(type, `before the commit that holds ${type}`, `after the commit that holds ${type}, before anyone hears of it`),
  ),
  ...Object.entries(EFFECTS).flatMap(([name, what]) => pair(`effect.${name}`, `before ${what}`, `after ${what}`)),
];

const journaled: ReadonlySet<string> = new Set(JOURNALED);
let armed: { readonly point: JournalPoint; readonly fire: () => void } | undefined;

/** Dies as a machine does that loses its power: nothing is flushed and nobody is told. */
const dieAtOnce = (): void => {
  process.kill(process.pid, 'SIGKILL');
};

/**
 * Arms one point, for the crash tests. @param fire what happens there; the default is SIGKILL to this very process
 * @throws TypeError for a name that is not in the table
 */
export const armJournalPoint = (point: string | undefined, fire: () => void = dieAtOnce): void => {
  const known = JOURNAL_POINTS.find(({ name }) => name === point);
  if (point !== undefined && !known) throw new TypeError(`there is no journal point ${point}`);
  armed = known && { point: known.name, fire };
};

/** Marks a point on the way. It costs a comparison unless a test armed it. */
export const journalPoint = (point: JournalPoint): void => {
  if (armed?.point === point) armed.fire();
};

/** Marks the points of a commit: called by the group commit with the types of the lines that it holds. */
export const journalCommit = (events: readonly { readonly type: EventType }[], when: 'before' | 'after'): void => {
  if (!armed) return;
  for (const { type } of events) if (journaled.has(type)) journalPoint(`${type}:${when}` as JournalPoint);
};
