import { LIMITS } from '@fairlead/shared/contract/limits';
import type { EventType } from '@fairlead/shared/contract/resources';
import { STEP_STATES } from '@fairlead/shared/contract/states';
import type { OutputOf } from '@fairlead/shared/contract/operations/table';
import { formatCursor, resumeAt } from '../core/cursor.ts';
import type { EventRecord, GateRecord, StepRecord } from '../core/records.ts';
import { sentence, waitAgain } from '../core/sentence.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { eventView, gateView, stepNow } from '../ledger/views.ts';
import type { Handler } from './asked.ts';
import { found } from './found.ts';
import { logMark, readLog, whenLogGrows, type LogParts } from './step-logs.ts';

/** What a caller that follows a step is woken for: changes of state, not the activity between them. */
const FOLLOWED: ReadonlySet<EventType> = new Set<EventType>([
  'step.queued',
  'step.prepared',
  'step.started',
  'step.executed',
  'step.collected',
  'step.stop_requested',
  'step.ended',
  'step.held',
  'step.approved',
  'step.requeued',
  'change.recorded',
  'change.integrating',
  'change.integrated',
  'change.returned',
  'change.conflicted',
  'change.failed_validation',
  'change.discarded',
  'validation.recorded',
  'gate.opened',
  'gate.approved',
  'gate.rejected',
  'gate.outdated',
  'gate.expired',
  'gate.used',
]);

type Waited = OutputOf<'wait_step'>;

/** Whether a person has to decide before the step goes on. */
const isDecision = (step: StepRecord, gate: GateRecord | undefined): boolean =>
  gate?.state === 'pending' && (step.state === 'needs_approval' || (gate.kind === 'permission' && !STEP_STATES[step.state].end));

interface News {
  readonly events: readonly EventRecord[];
  /** Up to where has been read. */
  readonly seq: number;
}

/**
 * Holds until something that the caller follows has changed after the cursor, until there is something to decide, or until the time
 * is over. Looking and beginning to listen happen in one turn of the event loop, so nothing is lost between them; activity is read
 * before, and what comes meanwhile is found at the next look.
 */
export const waitStep = (ledger: Ledger, parts: LogParts): Handler<'wait_step'> => {
  const { wakes, clock } = parts;
  const { read } = ledger;
  const newsAfter = (step: StepRecord, after: number): News => {
    const { seq: head } = read.head(step.instance_id);
    if (head <= after) return { events: [], seq: after };
    const rows = read.events({ instance_id: step.instance_id, step_id: step.id, after, limit: LIMITS.page_max.value });
    const isWhole = rows.length < LIMITS.page_max.value;
    return { events: rows.filter((row) => FOLLOWED.has(row.type)), seq: isWhole ? head : rows.at(-1)!.instance_seq };
  };
  const answer = (step: StepRecord, { events, seq }: News, resumed: 'resumed' | 'gap', log: Waited['log']): Waited => {
    const gate = step.gate_id === null ? undefined : read.gate(step.gate_id);
    const change = step.change_id === null ? undefined : read.change(step.change_id);
    const decides = isDecision(step, gate);
    const shown = stepNow(read, step);
    return {
      step: shown,
      gate: decides && gate ? gateView(gate) : null,
      events: events.map((event) => eventView(event, ledger.epoch)),
      next_cursor: formatCursor({ epoch: ledger.epoch, seq }),
      resumed,
      log,
      wait_again: waitAgain(step.state) && !decides,
      sentence: sentence({
        step,
        position: shown.position,
        change_state: change?.state ?? null,
        asked: decides && gate?.kind === 'permission',
      }),
    };
  };
  return async ({ step_id, cursor, log_cursor, timeout_ms }, { context, recheck }) => {
    const first = found(read.step(step_id));
    const { after, resumed } = resumeAt(cursor, ledger.epoch, read.head(first.instance_id).seq);
    const until = clock.monotonic() + timeout_ms;
    // Who comes without a cursor, or with one of another history, has not seen what there is to decide.
    const isNewcomer = cursor === undefined || resumed === 'gap';
    for (;;) {
      const step = found(read.step(step_id));
      const seen = logMark(parts, step);
      const news = newsAfter(step, after);
      const left = until - clock.monotonic();
      const gate = step.gate_id === null ? undefined : read.gate(step.gate_id);
      const log = log_cursor === undefined ? null : await readLog(parts, step, log_cursor, LIMITS.page_default.value);
      const isDue =
        news.events.length > 0 ||
        STEP_STATES[step.state].end ||
        resumed === 'gap' ||
        (isNewcomer && isDecision(step, gate)) ||
        (log !== null && log.items.length > 0);
      if (isDue || left <= 0) return answer(step, news, resumed, log);
      const why =
        log === null
          ? await wakes.next({
              instance_id: step.instance_id,
              ms: left,
              signal: context.signal,
              concerns: (event) => event.step_id === step_id && FOLLOWED.has(event.type),
            })
          : await whenLogGrows(parts, step, seen, left, context.signal);
      if (why === 'gone') context.signal.throwIfAborted();
      recheck();
    }
  };
};
