import type { EventRecord } from '../core/records.ts';
import { GENESIS, chainName, type StoredLine } from './chain.ts';
import { LINES_PER_INSTANCE, type Heads } from './heads.ts';
import type { LateWrites, Reader } from './late-writes.ts';

/** Which lines: those of an instance, or of one of its runs, after a sequence number in the instance. */
interface Lines {
  readonly instance_id: string;
  readonly after: number;
  readonly limit: number;
  readonly run_id?: string | undefined;
  readonly step_id?: string | undefined;
}

export interface History {
  /** Oldest first. */
  events(of: Lines): EventRecord[];
  /** Every line of an instance as its row holds it, oldest first. */
  stored(instanceId: string): Iterable<StoredLine>;
}

const digestBefore = (distance: string): string =>
  `'sha256:' || coalesce((select lower(hex(hash)) from events as previous where previous.position = line.position - ${distance}), '${GENESIS}')`;

/** The expression that puts a record together from a row of events that is named line. */
const RECORD = `json_object('instance_id', @instance_id, 'instance_seq', line.position % ${LINES_PER_INSTANCE}, 'run_id', line.run_id,
  'run_seq', line.run_seq, 'step_id', line.step_id, 'type', line.type, 'at', line.at, 'principal', json(line.principal),
  'authority', line.authority, 'data', json(line.data), 'prev_hash', ${digestBefore('line.back')},
  'instance_prev_hash', ${digestBefore('1')}, 'hash', 'sha256:' || lower(hex(line.hash)))`;

/** The lines of one run, found by going back from its every 64th line, so that a part of a long history costs what it holds. */
const createRunHistory = (late: LateWrites) => {
  const mark = late.reader(
    'select min(position) from events where run_id = @run_id and run_seq % 64 = 0 and position > @floor and position < @end',
    'one',
  );
  // The cross join keeps SQLite from walking the whole history to find the few lines on the way.
  const back = late.reader(
    `with recursive way (position, back) as (
       select position, back from events where position = @start and run_id = @run_id
       union all
       select line.position, line.back from way cross join events as line on line.position = way.position - way.back
       where line.run_id = @run_id and line.position > @floor and line.position < way.position
     )
     select ${RECORD} from way cross join events as line on line.position = way.position
     where @step_id is null or line.step_id = @step_id order by line.position`,
    'one',
  );
  /** @param last position of its last line */
  return (instance_id: string, run_id: string, step_id: string | null, floor: number, last: number, limit: number): EventRecord[] => {
    const found: EventRecord[] = [];
    while (floor < last && found.length < limit) {
      const start = (mark.get({ run_id, floor, end: last }) as number | null) ?? last;
      for (const text of back.all({ instance_id, run_id, step_id, start, floor })) found.push(JSON.parse(text as string) as EventRecord);
      floor = start;
    }
    return found.length > limit ? found.slice(0, limit) : found;
  };
};

/** The reads of the history. */
export const createHistory = (late: LateWrites, heads: Heads): History => {
  const ofInstance = late.reader(
    `select ${RECORD} from events as line where position > @floor and position < @end order by position limit @limit`,
    'one',
  );
  const exists = late.reader('select number from instances where id = ?', 'one');
  const runOf = late.reader('select run_id from steps where id = ?', 'one');
  const ofRun = createRunHistory(late);
  const rows: Reader = late.reader(
    `select position % ${LINES_PER_INSTANCE} as instance_seq, run_id, run_seq, step_id, type, at, principal, authority, data, back, lower(hex(hash)) as hash
     from events where position > @floor and position < @end order by position limit 1000`,
  );
  const baseOf = (instanceId: string): number | undefined => {
    const number = exists.get(instanceId) as number | undefined;
    return number === undefined ? undefined : number * LINES_PER_INSTANCE;
  };
  return {
    events({ instance_id, after, limit, run_id, step_id }) {
      const base = baseOf(instance_id);
      if (base === undefined) return [];
      const floor = base + after;
      const run = step_id === undefined ? run_id : ((runOf.get(step_id) as string | undefined) ?? null);
      if (run === null || (run !== undefined && run_id !== undefined && run !== run_id)) return [];
      if (run === undefined)
        return ofInstance
          .all({ instance_id, floor, end: base + LINES_PER_INSTANCE, limit })
          .map((text) => JSON.parse(text as string) as EventRecord);
      const last = heads.look(chainName.run(run)).position;
      return last < base + LINES_PER_INSTANCE ? ofRun(instance_id, run, step_id ?? null, floor, last, limit) : [];
    },
    *stored(instance_id) {
      const base = baseOf(instance_id);
      if (base === undefined) return;
      for (let floor = base; ;) {
        const page = rows.all({ floor, end: base + LINES_PER_INSTANCE }) as Omit<StoredLine, 'instance_id'>[];
        for (const row of page) yield { instance_id, ...row };
        if (page.length === 0) return;
        floor = base + page.at(-1)!.instance_seq;
      }
    },
  };
};
