import { hash as digest } from 'node:crypto';
import { canonicalJson } from '@fairlead/shared/contract/json';
import { isoTime } from '@fairlead/shared/kit/clock';
import type { EventRecord } from '../core/records.ts';
import type { ChainReport } from './ledger.ts';

/** The SHA-256 of a line as 64 hexadecimal characters. Records and answers carry it as `digestOf` writes it. */
export type Hash = string;

/** Where every chain begins. */
export const GENESIS: Hash = '0'.repeat(64);

export const digestOf = (hash: Hash): string => `sha256:${hash}`;

/** The chain that carries all lines of an instance, the one of its lines that belong to no run, and a run's own. */
export const chainName = {
  // As they are where it can be: a name that is put together anew for every line costs as much as finding it.
  instance: (instanceId: string) => instanceId,
  own: (instanceId: string) => `own:${instanceId}`,
  run: (runId: string) => runId,
} as const;

type Body = Omit<EventRecord, 'prev_hash' | 'instance_prev_hash' | 'hash'>;
/** An event without the parts that are kept as text. */
type Bare = Omit<Body, 'principal' | 'data'>;

/** The parts of an event that are kept as text of their own: its principal and its data, both as canonical JSON. */
interface Texts {
  readonly principal: string;
  readonly data: string;
}

let lastPrincipal = { id: '', name: '', text: '{"id":"","name":""}' };
/** A principal as text. Few take turns, so that the last one is remembered. */
const principalText = ({ id, name }: Body['principal']): string => {
  if (lastPrincipal.id !== id || lastPrincipal.name !== name)
    lastPrincipal = { id, name, text: `{"id":${JSON.stringify(id)},"name":${JSON.stringify(name)}}` };
  return lastPrincipal.text;
};

export const textsOf = ({ principal, data }: Pick<Body, 'principal' | 'data'>): Texts => ({
  principal: principalText(principal),
  data: canonicalJson(data),
});

let lastTime = { ms: NaN, text: '' };
/** The time as text. All lines of a commit carry the same, so that the last one is remembered. */
const timeText = (ms: number): string => {
  if (lastTime.ms !== ms) lastTime = { ms, text: isoTime(ms) };
  return lastTime.text;
};

const quoted = (id: string | null): string => (id === null ? 'null' : `"${id}"`);

/**
 * The canonical JSON of an event. Its members are named here in their canonical order, because this runs for every event;
 * a test compares it with `canonicalJson`. Ids hold nothing that JSON would escape.
 */
export const eventText = (event: Bare, principal: string, data: string): string =>
  `{"at":"${timeText(event.at)}","authority":"${event.authority}","data":${data},"instance_id":"${event.instance_id}",` +
  `"instance_seq":${event.instance_seq},"principal":${principal},"run_id":${quoted(event.run_id)},` +
  `"run_seq":${event.run_seq},"step_id":${quoted(event.step_id)},"type":"${event.type}"}`;

/**
 * The hash of a line of history: over the line before it in its chain, the line before it in its instance, and its own canonical
 * JSON, so that one hash carries it in both.
 */
export const lineHash = (previous: Hash, instancePrevious: Hash, event: Bare, principal: string, data: string): Hash =>
  digest('sha256', `${digestOf(previous)}\n${digestOf(instancePrevious)}\n${eventText(event, principal, data)}`, 'hex');

/** A line of history as its row holds it, with its texts as they are stored. */
export interface StoredLine extends Bare, Texts {
  readonly hash: Hash;
  readonly back: number | null;
}

interface End {
  readonly seq: number;
  /** The sequence number in the instance of its last line. */
  readonly line: number;
  readonly hash: Hash;
}
const NO_LINE: End = { seq: 0, line: 0, hash: GENESIS };

/**
 * Recomputes the chains of one instance from its lines, in the order of their sequence, and compares them with the heads
 * that were recorded beside them. Any line that was altered, dropped, added or put elsewhere shows, and so does a whole run.
 * @param heads the recorded heads by chain name
 * @param runs ids of the runs that the instance has
 */
export const verifyChains = (
  instanceId: string,
  events: Iterable<StoredLine>,
  heads: ReadonlyMap<string, End>,
  runs: readonly string[],
): ChainReport => {
  const problems: { instance_seq: number | null; run_id: string | null; message: string }[] = [];
  const own = chainName.own(instanceId);
  const found = new Map<string, End>();
  let whole = NO_LINE;
  let count = 0;
  for (const event of events) {
    count++;
    const report = (message: string) => problems.push({ instance_seq: event.instance_seq, run_id: event.run_id, message });
    const chain = event.run_id === null ? own : chainName.run(event.run_id);
    const before = found.get(chain) ?? NO_LINE;
    if (event.instance_seq !== whole.seq + 1) report(`the instance's line ${whole.seq + 1} is missing, or lines are out of order`);
    if (event.run_seq !== (event.run_id === null ? null : before.seq + 1))
      report(`the run's line ${before.seq + 1} is missing, or lines are out of order`);
    if (event.back !== (before.seq === 0 ? null : event.instance_seq - before.line))
      report('the line does not point at the one before it in its chain');
    if (event.hash !== lineHash(before.hash, whole.hash, event, event.principal, event.data))
      report('the line was altered, or does not follow the ones before it in its chain and in the instance');
    found.set(chain, { seq: before.seq + 1, line: event.instance_seq, hash: event.hash });
    whole = { seq: event.instance_seq, line: event.instance_seq, hash: event.hash };
  }
  found.set(chainName.instance(instanceId), whole);
  const expected = new Set([chainName.instance(instanceId), own, ...runs.map(chainName.run), ...found.keys()]);
  for (const chain of expected) {
    const is = found.get(chain) ?? NO_LINE;
    const recorded = heads.get(chain) ?? NO_LINE;
    if (is.seq === recorded.seq && is.line === recorded.line && is.hash === recorded.hash) continue;
    problems.push({
      instance_seq: null,
      run_id: chain === own || chain === instanceId ? null : chain,
      message: `the chain ends at line ${is.seq}, and the recorded head is line ${recorded.seq}`,
    });
  }
  for (const run of runs) {
    if (!found.has(chainName.run(run))) problems.push({ instance_seq: null, run_id: run, message: 'the run has no history' });
  }
  const recorded = new Set(runs.map(chainName.run));
  for (const chain of found.keys()) {
    if (chain === own || chain === instanceId || recorded.has(chain)) continue;
    problems.push({ instance_seq: null, run_id: chain, message: 'the history tells of the run, and its record is gone' });
  }
  return { events: count, runs: runs.length, problems };
};
