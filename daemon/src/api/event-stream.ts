import { FairleadError } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';
import type { InputOf } from '@fairlead/shared/contract/operations/table';
import { Cursor } from '@fairlead/shared/contract/resources';
import { RawAnswer, type RequestContext } from '@fairlead/shared/kit/http-server';
import { formatCursor, resumeAt } from '../core/cursor.ts';
import type { EventRecord } from '../core/records.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { eventView } from '../ledger/views.ts';
import type { Asked, Handler } from './asked.ts';
import { found } from './found.ts';
import type { Wakes } from './wakes.ts';

type Input = InputOf<'list_events'>;

/** Where to read on from: without a cursor from the beginning, because this is the history and not a wait. */
const startOf = (
  ledger: Ledger,
  { instance_id, cursor }: Pick<Input, 'instance_id' | 'cursor'>,
): { after: number; resumed: 'resumed' | 'gap' } => {
  found(ledger.read.instance(instance_id));
  return cursor === undefined ? { after: 0, resumed: 'resumed' } : resumeAt(cursor, ledger.epoch, ledger.read.head(instance_id).seq);
};

const concerns = ({ run_id, step_id }: Input, event: EventRecord): boolean =>
  (run_id === undefined || event.run_id === run_id) && (step_id === undefined || event.step_id === step_id);

/** One server-sent event. */
export const message = (type: string | undefined, data: unknown, id?: string): string =>
  `${id === undefined ? '' : `id: ${id}\n`}${type === undefined ? '' : `event: ${type}\n`}data: ${JSON.stringify(data)}\n\n`;

/** What a browser's EventSource sends when it comes back. */
export const lastEventId = ({ headers }: RequestContext, isCursor: (text: string) => boolean): string | undefined => {
  const given = headers['last-event-id'];
  return typeof given === 'string' && isCursor(given) ? given : undefined;
};

/** An answer that goes on as long as its reader listens. */
export const streamed = (events: AsyncIterable<string>): RawAnswer =>
  new RawAnswer(events, { headers: { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' } });

const page = (ledger: Ledger, input: Input, after: number, limit: number): EventRecord[] =>
  ledger.read.events({ instance_id: input.instance_id, run_id: input.run_id, step_id: input.step_id, after, limit });

/**
 * The history as it comes. What is sent next is read from the ledger when the reader takes it, so a slow reader costs no memory; the
 * right to listen is checked at every wake and every heartbeat.
 */
async function* follow(ledger: Ledger, wakes: Wakes, input: Input, { context, recheck }: Asked): AsyncGenerator<string> {
  const given = input.cursor ?? lastEventId(context, (text) => Cursor.safeParse(text).success);
  const { after, resumed } = startOf(ledger, { instance_id: input.instance_id, cursor: given });
  const cursorAt = (seq: number) => formatCursor({ epoch: ledger.epoch, seq });
  let seq = after;
  yield message('begin', { resumed, cursor: cursorAt(seq) }, cursorAt(seq));
  try {
    while (!context.signal.aborted) {
      const events = page(ledger, input, seq, LIMITS.page_max.value);
      for (const event of events) {
        seq = event.instance_seq;
        yield message(undefined, eventView(event, ledger.epoch), cursorAt(seq));
      }
      if (events.length > 0) continue;
      // Nothing is lost between the look above and this: both are in one turn of the event loop.
      const why = await wakes.next({
        instance_id: input.instance_id,
        ms: LIMITS.heartbeat.value,
        signal: context.signal,
        concerns: (event) => concerns(input, event),
      });
      if (why === 'gone') return;
      recheck();
      if (why === 'time') yield ': still here\n\n';
    }
  } catch (error) {
    // The head is out with status 200, so the end of the right to listen is said in the stream.
    if (!(error instanceof FairleadError)) throw error;
    yield message('problem', error.toProblem(context.id));
  }
}

/** A page of the history as JSON, or all of it and what comes as server-sent events. */
export const listEvents =
  (ledger: Ledger, wakes: Wakes): Handler<'list_events'> =>
  (input, asked) => {
    if (asked.context.headers.accept?.includes('text/event-stream')) {
      found(ledger.read.instance(input.instance_id));
      return streamed(follow(ledger, wakes, input, asked));
    }
    const { after, resumed } = startOf(ledger, input);
    const rows = page(ledger, input, after, input.limit + 1);
    const items = rows.slice(0, input.limit);
    const more = rows.length > input.limit;
    const seq = more ? items.at(-1)!.instance_seq : Math.max(after, ledger.read.head(input.instance_id).seq);
    return {
      items: items.map((event) => eventView(event, ledger.epoch)),
      next_cursor: formatCursor({ epoch: ledger.epoch, seq }),
      resumed,
      more,
    };
  };
