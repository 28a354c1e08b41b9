import type { EventRecord } from '../../src/core/records.ts';
import { keyOf } from './explore.ts';
import { applied, COUPLINGS, CORE, START, type Letter, type Whole } from './state-model.ts';

type Line = Pick<EventRecord, 'type' | 'step_id' | 'run_id' | 'data'>;

/** What a line of history says of a step, in the letters of the model. `request` picks the one permission gate that is looked at. */
const letterOf = ({ type, data }: Line, request: unknown): Letter | undefined => {
  const [record, event] = type.split('.') as [string, string];
  if (record === 'step')
    return event === 'queued' ? undefined : event === 'stop_requested' ? 'step:stop' : (`step:${String(data['event'])}` as Letter);
  if (record === 'attempt') return event === 'started' ? 'attempt:started' : (`attempt:${String(data['outcome'])}` as Letter);
  if (record === 'change') {
    const named = { conflict: 'conflicted', failed_validation: 'validation_failed' } as Record<string, string>;
    return `change:${named[event] ?? event}` as Letter;
  }
  if (record === 'gate') {
    if (data['kind'] === 'change') return `gate:${event}` as Letter;
    return data['gate_id'] === request ? (`request:${event}` as Letter) : undefined;
  }
  return record === 'run' && event !== 'started' ? (`run:${event}` as Letter) : undefined;
};

/** Where the model may be: a state, and what is left of the coupling that is under way. */
interface Place {
  readonly now: Whole;
  readonly rest: readonly Letter[];
}

const stepped = ({ now, rest }: Place, letter: Letter): Place[] => {
  const words = rest.length > 0 ? [rest] : COUPLINGS.filter(({ when }) => when(now)).flatMap(({ words: all }) => all(now));
  return words
    .filter((word) => word[0] === letter)
    .flatMap((word) => {
      const next = applied(now, letter, CORE);
      return next ? [{ now: next, rest: word.slice(1) }] : [];
    });
};

const walk = (begin: Whole, letters: readonly Letter[]): string | undefined => {
  let places: Place[] = [{ now: begin, rest: [] }];
  for (const [at, letter] of letters.entries()) {
    const next = new Map(
      places.flatMap((place) => stepped(place, letter)).map((place) => [`${keyOf(place.now)} ${place.rest.join()}`, place]),
    );
    if (next.size === 0) {
      const stood = places.map(({ now, rest }) => `${keyOf(now)}${rest.length > 0 ? ` before ${rest.join(',')}` : ''}`).join(' | ');
      return `${letters.slice(Math.max(0, at - 8), at).join(' ')} >>> ${letter} <<< is no path of the model, from ${stood}`;
    }
    places = [...next.values()];
  }
  return places.some(({ rest }) => rest.length === 0)
    ? undefined
    : `${letters.slice(-4).join(' ')} breaks off in the middle of a transaction`;
};

/** What of a history, all lines of one instance in their order, is no path of the model: one sentence a step. */
export const deviations = (lines: readonly Line[]): string[] => {
  const steps = new Map<string, Line[]>();
  const runs = new Map<string, { state: Whole['run']; steps: string[] }>();
  const begun = new Map<string, Whole['run']>();
  for (const line of lines) {
    const { type, run_id, step_id } = line;
    if (run_id !== null && !runs.has(run_id)) runs.set(run_id, { state: 'open', steps: [] });
    const of = run_id === null ? undefined : runs.get(run_id);
    if (type === 'step.queued' && step_id !== null) {
      steps.set(step_id, []);
      of?.steps.push(step_id);
      begun.set(step_id, of?.state ?? 'open');
    } else if (step_id !== null) steps.get(step_id)?.push(line);
    else if (of && (type === 'run.closed' || type === 'run.cancelled')) {
      of.state = type === 'run.closed' ? 'closed' : 'cancelled';
      for (const id of of.steps) steps.get(id)!.push(line);
    }
  }
  return [...steps].flatMap(([id, own]) => {
    const requests = new Set(own.filter(({ data }) => data['kind'] === 'permission').map(({ data }) => data['gate_id']));
    const wrong = (requests.size === 0 ? [undefined] : [...requests])
      .map((request) =>
        walk(
          { ...START, run: begun.get(id)! },
          own.flatMap((line) => letterOf(line, request) ?? []),
        ),
      )
      .filter((one) => one !== undefined);
    return begun.get(id) === 'open' ? wrong.map((one) => `${id}: ${one}`) : [`${id}: was queued in a run that is ${begun.get(id)}`];
  });
};
