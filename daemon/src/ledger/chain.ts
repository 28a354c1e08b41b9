import { hash as digest } from 'node:crypto';
import { canonicalJson } from '@fairlead/shared/contract/json';
import { isoTime } from '@fairlead/shared/kit/clock';
import type { EventRecord } from '../core/records.ts';
import type { ChainReport } from './ledger.ts';

/** Where every chain begins. */
export const GENESIS = `sha256:${'0'.repeat(64)}`;

/** The chain that carries all lines of an instance, the one of its lines that belong to no run, and a run's own. */
export const chainName = {
  instance: (instanceId: string) => `i:${instanceId}`,
  own: (instanceId: string) => `o:${instanceId}`,
  run: (runId: string) => `r:${runId}`,
} as const;

type Body = Omit<EventRecord, 'prev_hash' | 'hash' | 'instance_hash'>;
/** An event without the parts that are kept as text. */
type Bare = Omit<Body, 'principal' | 'data'>;

/** Digest of a hash and what follows it, separated by a line feed. */
const linked = (previous: string, text: string): string => `sha256:${digest('sha256', `${previous}\n${text}`, 'hex')}`;

/** The parts of an event that are kept as text of their own: its principal and its data, both as canonical JSON. */
export interface Texts {
  readonly principal: string;
  readonly data: string;
}

export const textsOf = ({ principal: { id, name }, data }: Pick<Body, 'principal' | 'data'>): Texts => ({
  principal: `{"id":${JSON.stringify(id)},"name":${JSON.stringify(name)}}`,
  data: canonicalJson(data),
});

let lastTime = { ms: NaN, text: '' };
/** The time as text. All lines of a commit carry the same, so that the last one is remembered. */
const timeText = (ms: number): string => {
  if (lastTime.ms !== ms) lastTime = { ms, text: isoTime(ms) };
  return lastTime.text;
};

/** A line of history as its row holds it, with its texts as they are stored. */
export type StoredLine = Omit<EventRecord, keyof Texts> & Texts;

/**
 * The canonical JSON of an event. Its members are named here in their canonical order, because this runs for every event;
 * a test compares it with `canonicalJson`.
 */
export const eventText = (event: Bare, { principal, data }: Texts): string =>
  `{"at":"${timeText(event.at)}","authority":"${event.authority}","data":${data},"instance_id":"${event.instance_id}",` +
  `"instance_seq":${event.instance_seq},"principal":${principal},"run_id":${JSON.stringify(event.run_id)},` +
  `"run_seq":${event.run_seq},"step_id":${JSON.stringify(event.step_id)},"type":"${event.type}"}`;

/** The hash of a line of history: over the line before it in its chain, and its own canonical JSON. */
export const eventHash = (previous: string, event: Bare, texts: Texts): string => linked(previous, eventText(event, texts));

/** The instance's chain after a line: over the chain before it, and the line's hash. */
export const instanceHash = (previous: string, hash: string): string => linked(previous, hash);

interface Head {
  readonly seq: number;
  readonly hash: string;
}

/**
 * Recomputes the chains of one instance from its lines, in the order of their sequence, and compares them with the heads
 * that were recorded beside them. Any line that was altered, dropped, added or put elsewhere shows, and so does a whole run.
 * @param heads the recorded heads by chain name
 * @param runs ids of the runs that the instance has
 */
export const verifyChains = (
  instanceId: string,
  events: Iterable<StoredLine>,
  heads: ReadonlyMap<string, Head>,
  runs: readonly string[],
): ChainReport => {
  const problems: { instance_seq: number | null; run_id: string | null; message: string }[] = [];
  const own = chainName.own(instanceId);
  const found = new Map<string, Head>();
  let whole: Head = { seq: 0, hash: GENESIS };
  let count = 0;
  for (const event of events) {
    count++;
    const report = (message: string) => problems.push({ instance_seq: event.instance_seq, run_id: event.run_id, message });
    const chain = event.run_id === null ? own : chainName.run(event.run_id);
    const before = found.get(chain) ?? { seq: 0, hash: GENESIS };
    if (event.instance_seq !== whole.seq + 1) report(`the instance's line ${whole.seq + 1} is missing, or lines are out of order`);
    if (event.run_id !== null && event.run_seq !== before.seq + 1)
      report(`the run's line ${before.seq + 1} is missing, or lines are out of order`);
    if (event.prev_hash !== before.hash) report('the line does not follow the one before it in its chain');
    if (event.hash !== eventHash(event.prev_hash, event, event)) report('the line was altered');
    const next = instanceHash(whole.hash, event.hash);
    if (event.instance_hash !== next) report('the line does not follow the one before it in the instance');
    found.set(chain, { seq: before.seq + 1, hash: event.hash });
    whole = { seq: event.instance_seq, hash: next };
  }
  found.set(chainName.instance(instanceId), whole);
  const expected = new Set([chainName.instance(instanceId), own, ...runs.map(chainName.run), ...found.keys()]);
  for (const chain of expected) {
    const is = found.get(chain) ?? { seq: 0, hash: GENESIS };
    const recorded = heads.get(chain) ?? { seq: 0, hash: GENESIS };
    if (is.seq === recorded.seq && is.hash === recorded.hash) continue;
    const run_id = chain.startsWith('r:') ? chain.slice(2) : null;
    problems.push({
      instance_seq: null,
      run_id,
      message: `the chain ends at line ${is.seq}, and the recorded head is line ${recorded.seq}`,
    });
  }
  for (const run of runs) {
    if (!found.has(chainName.run(run))) problems.push({ instance_seq: null, run_id: run, message: 'the run has no history' });
  }
  return { events: count, runs: runs.length, problems };
};
