import type { EventType } from '@fairlead/shared/contract/resources';
import type { EventRecord } from '../core/records.ts';
import { chainName, digestOf, lineHash, textsOf } from './chain.ts';
import type { Heads } from './heads.ts';
import type { About } from './ledger.ts';
import type { Lines } from './lines.ts';

/** Whose line of history it is. */
export interface Subject {
  readonly instance_id: string;
  readonly run_id?: string | null;
  readonly step_id?: string | null;
}

/** Appends a line of history to the chains that it belongs to. */
export type Append = (type: EventType, subject: Subject, about: About, data?: Readonly<Record<string, unknown>>) => EventRecord;

type Filling = { -readonly [K in keyof EventRecord]: EventRecord[K] };

const NOTHING = {};

/** What a line says: what the ledger knows, and what the cause adds. */
const dataOf = (about: About, data: Readonly<Record<string, unknown>> = NOTHING): Readonly<Record<string, unknown>> =>
  about.data === undefined && about.grant_digest === undefined
    ? data
    : { ...data, ...about.data, ...(about.grant_digest !== undefined && { grant_digest: about.grant_digest }) };

/**
 * Makes the one function that writes history.
 * @param at the time of the transaction in epoch ms
 */
export const createAppend =
  (lines: Lines, heads: Heads, at: () => number): Append =>
  (type, subject, about, data) => {
    const { instance_id } = subject;
    const run_id = subject.run_id ?? null;
    const whole = heads.chain(chainName.instance(instance_id));
    const chain = heads.chain(run_id === null ? chainName.own(instance_id) : chainName.run(run_id));
    const before = chain.head;
    const seq = whole.head.seq + 1;
    const position = heads.base(instance_id) + seq;
    // One object, filled in as it comes to be known: this runs for every event, and copies of it would cost as much as its row.
    const event: Filling = {
      instance_id,
      instance_seq: seq,
      run_id,
      run_seq: run_id === null ? null : before.seq + 1,
      step_id: subject.step_id ?? null,
      type,
      at: at(),
      principal: about.principal,
      authority: about.authority,
      data: dataOf(about, data),
      prev_hash: digestOf(before.hash),
      instance_prev_hash: digestOf(whole.head.hash),
      hash: '',
    };
    const { principal, data: said } = textsOf(event);
    const hash = lineHash(before.hash, whole.head.hash, event, principal, said);
    event.hash = digestOf(hash);
    heads.set(whole, { seq, position, hash });
    heads.set(chain, { seq: before.seq + 1, position, hash });
    lines.add({ event, position, principal, data: said, back: before.seq === 0 ? null : position - before.position, hash });
    return event;
  };
