/** A table: for every state the events that it takes, and where each leads. An empty row is an end. */
export type Table<State extends string, Event extends string> = Readonly<Record<State, Readonly<Partial<Record<Event, State>>>>>;

export interface Machine<State extends string, Event extends string> {
  readonly name: string;
  readonly table: Table<State, Event>;
  /** The state that follows, or `undefined`: a refusal. Nothing else decides what may follow what. */
  next(state: State, event: Event): State | undefined;
  /** The events that a state takes, in the order of the table. */
  enabled(state: State): Event[];
}

/**
 * Makes a machine of a table. A missing state, a misspelt event or a target that is no state does not compile:
 * `machine<StepState, StepEvent>('step', { queued: { … }, … })`.
 */
export const machine = <State extends string, Event extends string>(name: string, table: Table<State, Event>): Machine<State, Event> => ({
  name,
  table,
  next: (state, event) => (Object.hasOwn(table[state], event) ? table[state][event] : undefined),
  enabled: (state) => Object.keys(table[state]) as Event[],
});
