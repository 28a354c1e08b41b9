import type { Activity } from '@fairlead/shared/contract/activity';
import { FairleadError } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';
import type { OutputOf } from '@fairlead/shared/contract/operations/table';
import type { Clock } from '@fairlead/shared/kit/clock';
import { formatLogCursor, parseLogCursor, type LogPlace } from '../core/log-cursor.ts';
import type { AttemptRecord, StepRecord } from '../core/records.ts';
import type { ArtifactFiles, OpenFile } from '../ledger/artifact-files.ts';
import type { Reads } from '../ledger/ledger.ts';
import type { Asked, Handler } from './asked.ts';
import { lastEventId, message, streamed } from './event-stream.ts';
import { found } from './found.ts';
import type { Wakes } from './wakes.ts';

/** The activity of an attempt that still runs, where the runner keeps it; undefined when none runs. */
export type LiveLog = (
  stepId: string,
) => { readonly file: Pick<OpenFile, 'read' | 'size'> | undefined; onGrowth(listener: () => void): () => void } | undefined;

export interface LogParts {
  readonly read: Reads;
  readonly artifacts: ArtifactFiles;
  readonly live: LiveLog;
  readonly clock: Clock;
  readonly wakes: Wakes;
}

type Page = NonNullable<OutputOf<'wait_step'>['log']>;

/** Which attempt a cursor means; without one, the latest. */
const attemptOf = (read: Reads, step: StepRecord, place: LogPlace | undefined): AttemptRecord | undefined => {
  if (place === undefined) return step.attempt_id === null ? undefined : read.attempt(step.attempt_id);
  return read.attempts(step.id).find(({ number }) => number === place.attempt);
};

/** Whole lines from a place on, as one text: at most `limit`, and at least one when there is one, however long it is. */
const linesFrom = async (
  readBytes: (offset: number, length: number) => Promise<Buffer>,
  offset: number,
  limit: number,
): Promise<{ readonly lines: string; readonly next: number }> => {
  let bytes = Buffer.alloc(0);
  for (let length: number = LIMITS.log_page.value; ; length *= 4) {
    bytes = Buffer.from(await readBytes(offset, length));
    if (bytes.includes(0x0a) || bytes.length < length) break;
  }
  let end = 0;
  for (let count = 0; count < limit; count++) {
    const at = bytes.indexOf(0x0a, end);
    if (at === -1) break;
    end = at + 1;
  }
  return { lines: bytes.toString('utf8', 0, end), next: offset + end };
};

/** A page as it is stored: a line of JSON an item, each ended. */
interface StoredPage extends Omit<Page, 'items'> {
  readonly lines: string;
}

const readLines = async (
  { read, artifacts, live }: Pick<LogParts, 'read' | 'artifacts' | 'live'>,
  step: StepRecord,
  cursor: string | undefined,
  limit: number,
): Promise<StoredPage> => {
  const place = cursor === undefined ? undefined : parseLogCursor(cursor);
  const attempt = attemptOf(read, step, place);
  if (!attempt) return { attempt_id: null, lines: '', next_cursor: cursor ?? null, ended: false };
  const offset = place?.offset ?? 0;
  const cursorAt = (next: number): string => formatLogCursor({ attempt: attempt.number, offset: next });
  const stored = read.artifacts({ step_id: step.id, attempt_id: attempt.id }).find(({ kind }) => kind === 'activity');
  const growing = stored === undefined && attempt.id === step.attempt_id ? live(step.id)?.file : undefined;
  const size = stored?.size ?? growing?.size ?? 0;
  const isOver = stored !== undefined || (growing === undefined && attempt.ended_at !== null);
  if (offset >= size) return { attempt_id: attempt.id, lines: '', next_cursor: cursorAt(offset), ended: isOver };
  const from = growing
    ? (at: number, length: number) => growing.read(at, length)
    : (at: number, length: number) => artifacts.read(stored!.sha256, { offset: at, length: Math.min(length, size - at) });
  const { lines, next } = await linesFrom(from, offset, limit);
  return { attempt_id: attempt.id, lines, next_cursor: cursorAt(next), ended: isOver && next >= size };
};

/** A page of a step's log after a cursor. */
export const readLog = async (
  parts: Pick<LogParts, 'read' | 'artifacts' | 'live'>,
  step: StepRecord,
  cursor: string | undefined,
  limit: number,
): Promise<Page> => {
  const { lines, ...page } = await readLines(parts, step, cursor, limit);
  return {
    ...page,
    items:
      lines === ''
        ? []
        : lines
            .trimEnd()
            .split('\n')
            .map((line) => JSON.parse(line) as Activity),
  };
};

/** The lines as events of a stream, in one piece: each line is JSON already, and only the last needs to say where to go on. */
const eventsOf = (lines: string, cursor: string): string => {
  const last = lines.lastIndexOf('\n', lines.length - 2) + 1;
  const before = last === 0 ? '' : `${EVENT}${lines.slice(0, last - 1).replaceAll('\n', `\n\n${EVENT}`)}\n\n`;
  return `${before}id: ${cursor}\n${EVENT}${lines.slice(last)}\n`;
};

const EVENT = 'event: activity\ndata: ';

/** How far a step and its log have come: whoever looks and then waits gives what it saw, so that nothing is lost in between. */
export const logMark = ({ read, live }: Pick<LogParts, 'read' | 'live'>, step: StepRecord): string =>
  `${read.head(step.instance_id).seq}.${live(step.id)?.file?.size ?? 0}`;

/** Settles when the step's log grows or its instance's history does, or when the time is over. At once where `seen` is out of date. */
export const whenLogGrows = async (
  parts: Pick<LogParts, 'read' | 'live' | 'wakes'>,
  step: StepRecord,
  seen: string,
  ms: number,
  signal: AbortSignal,
): Promise<'event' | 'time' | 'gone'> => {
  const grown = new AbortController();
  const deaf = parts.live(step.id)?.onGrowth(() => grown.abort());
  try {
    if (logMark(parts, step) !== seen) return 'event';
    const why = await parts.wakes.next({
      instance_id: step.instance_id,
      ms,
      signal: AbortSignal.any([signal, grown.signal]),
      concerns: (event) => event.step_id === step.id,
    });
    return why === 'gone' && !signal.aborted ? 'event' : why;
  } finally {
    deaf?.();
  }
};

/** Of one piece of a stream; what they are together is bounded by `LIMITS.log_page`. */
const MOST_LINES = 10_000;

/** The log as it comes, from attempt to attempt, until the step has ended and all of it was told. */
async function* follow(parts: LogParts, stepId: string, given: string | undefined, { context, recheck }: Asked): AsyncGenerator<string> {
  let cursor = given;
  let told = -Infinity;
  try {
    while (!context.signal.aborted) {
      const step = found(parts.read.step(stepId));
      const seen = logMark(parts, step);
      const page = await readLines(parts, step, cursor, MOST_LINES);
      cursor = page.next_cursor ?? undefined;
      if (page.lines !== '' && cursor !== undefined) {
        yield eventsOf(page.lines, cursor);
        told = parts.clock.monotonic();
        continue;
      }
      if (page.ended) {
        const next = parts.read.attempts(stepId).find(({ number }) => number === (parseLogCursor(cursor ?? '')?.attempt ?? 0) + 1);
        if (next) {
          cursor = formatLogCursor({ attempt: next.number, offset: 0 });
          continue;
        }
        if (step.ended_at !== null) {
          yield message('end', { step_state: step.state }, cursor);
          return;
        }
      }
      const why = await whenLogGrows(parts, step, seen, LIMITS.heartbeat.value, context.signal);
      if (why === 'gone') return;
      recheck();
      if (why === 'time') yield ': still here\n\n';
      // The first word goes out at once, and what a busy agent says right after it is sent in larger pieces.
      const rest = told + LIMITS.log_gather.value - parts.clock.monotonic();
      if (rest > 0) await parts.clock.sleep(rest);
    }
  } catch (error) {
    // The head is out with status 200, so the end of the right to listen is said in the stream.
    if (!(error instanceof FairleadError)) throw error;
    yield message('problem', error.toProblem(context.id));
  }
}

/** A page of what an executor says as JSON, or all of it and what comes as server-sent events. */
export const stepLogs =
  (parts: LogParts): Handler<'get_step_logs'> =>
  async ({ step_id, cursor, limit }, asked) => {
    const step = found(parts.read.step(step_id));
    if (asked.context.headers.accept?.includes('text/event-stream')) {
      const known = cursor ?? lastEventId(asked.context, (text) => parseLogCursor(text) !== undefined);
      return streamed(follow(parts, step_id, known, asked));
    }
    return readLog(parts, step, cursor, limit);
  };
