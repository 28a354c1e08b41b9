/** A step that waits, as the scheduler sees it. */
export interface Waiting {
  readonly step_id: string;
  /** The step whose snapshot it stands on, when that one has not ended yet. */
  readonly waits_for: string | undefined;
}

export interface Slots {
  readonly parallelism: number;
  readonly active: number;
  readonly halted: boolean;
}

/**
 * Which waiting steps start now: in their order, as many as there are free slots. A step that stands on another one's
 * snapshot lets later steps pass until that one has ended.
 */
export const admitted = (queue: readonly Waiting[], slots: Slots): string[] => {
  const free = slots.halted ? 0 : Math.max(0, slots.parallelism - slots.active);
  return queue
    .filter((step) => step.waits_for === undefined)
    .slice(0, free)
    .map((step) => step.step_id);
};

/** The place of each waiting step, 1 is next. */
export const positionsOf = (queue: readonly Waiting[]): ReadonlyMap<string, number> =>
  new Map(queue.map((step, index) => [step.step_id, index + 1]));
