import { applied, COUPLINGS, CORE, START, type Coupling, type Letter, type Machines, type Whole } from './state-model.ts';

/** One transition: what was done in one transaction, and what it made of the step. */
export interface Edge {
  readonly from: Whole;
  readonly coupling: Coupling;
  readonly word: readonly Letter[];
  readonly to: Whole;
}

/** What a table of core refuses although the code comes to it. */
export interface Refusal extends Omit<Edge, 'to'> {
  readonly letter: Letter;
}

export interface Space {
  readonly states: ReadonlyMap<string, Whole>;
  readonly edges: readonly Edge[];
  readonly refusals: readonly Refusal[];
  /** By the key of the state that they leave. */
  readonly out: ReadonlyMap<string, readonly Edge[]>;
}

export const keyOf = (now: Whole): string => Object.values(now).join(' ');

const follow = (from: Whole, word: readonly Letter[], machines: Machines): Whole | Letter => {
  let now = from;
  for (const letter of word) {
    const next = applied(now, letter, machines);
    if (!next) return letter;
    now = next;
  }
  return now;
};

/** Everything that can be reached from a step that was just submitted, breadth first. */
export const explore = (machines: Machines = CORE): Space => {
  const states = new Map([[keyOf(START), START]]);
  const edges: Edge[] = [];
  const refusals: Refusal[] = [];
  const out = new Map<string, Edge[]>();
  // A map that grows while it is walked through is the queue.
  for (const [key, from] of states) {
    const leaving: Edge[] = [];
    for (const coupling of COUPLINGS.filter(({ when }) => when(from))) {
      for (const word of coupling.words(from)) {
        const to = follow(from, word, machines);
        if (typeof to === 'string') refusals.push({ from, coupling, word, letter: to });
        else leaving.push({ from, coupling, word, to });
      }
    }
    for (const edge of leaving) if (!states.has(keyOf(edge.to))) states.set(keyOf(edge.to), edge.to);
    edges.push(...leaving);
    out.set(key, leaving);
  }
  return { states, edges, refusals, out };
};

/** The keys of all states from which one that is wanted can be reached over these edges, itself included. */
export const reaching = (
  space: Space,
  wanted: (now: Whole) => boolean,
  over: (edge: Edge) => boolean = () => true,
): ReadonlySet<string> => {
  const into = new Map<string, string[]>();
  for (const edge of space.edges.filter(over)) {
    const key = keyOf(edge.to);
    into.set(key, [...(into.get(key) ?? []), keyOf(edge.from)]);
  }
  const found = new Set([...space.states].filter(([, now]) => wanted(now)).map(([key]) => key));
  for (const key of found) for (const before of into.get(key) ?? []) found.add(before);
  return found;
};
