/** A step that waits, as the scheduler sees it. */
export interface Waiting {
  readonly step_id: string;
  readonly instance_id: string;
  /** The step whose snapshot it stands on, when that one has not ended yet. */
  readonly waits_for: string | undefined;
}

export interface Slots {
  readonly parallelism: number;
  /** The instance of each step that is active. */
  readonly active: readonly string[];
  readonly halted: boolean;
}

/** Instances take turns: first the steps of those that have the fewest at work. Steps of one instance stay in their order. */
const inTurn = (queue: readonly Waiting[], active: readonly string[]): Waiting[] => {
  const before = new Map<string, number>();
  const place = (instance: string): number => {
    const places = before.get(instance) ?? 0;
    before.set(instance, places + 1);
    return places;
  };
  active.forEach(place);
  return queue
    .map((step) => ({ step, turn: place(step.instance_id) }))
    .toSorted((a, b) => a.turn - b.turn)
    .map(({ step }) => step);
};

/**
 * Which waiting steps start now: as many as there are free slots, so that an instance with a long queue does not hold up the others. A step
 * that stands on another one's snapshot lets later steps pass until that one has ended.
 */
export const admitted = (queue: readonly Waiting[], slots: Slots): string[] => {
  const free = slots.halted ? 0 : Math.max(0, slots.parallelism - slots.active.length);
  const ready = queue.filter((step) => step.waits_for === undefined);
  return inTurn(ready, slots.active)
    .slice(0, free)
    .map((step) => step.step_id);
};

/** The place of each waiting step, 1 is next. */
export const positionsOf = (queue: readonly Waiting[]): ReadonlyMap<string, number> =>
  new Map(queue.map((step, index) => [step.step_id, index + 1]));
