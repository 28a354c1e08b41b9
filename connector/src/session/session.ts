import { FairleadError } from '@fairlead/shared/contract/errors';
import { LIMITS } from '@fairlead/shared/contract/limits';
import { createBackoff } from '@fairlead/shared/kit/backoff';
import { randomUnit, type Clock } from '@fairlead/shared/kit/clock';
import type { Log } from '@fairlead/shared/kit/log';
import { createAnsweringChannel } from '@fairlead/shared/wire/answering-channel';
import type { Advertised, Descriptor } from '@fairlead/shared/wire/frames';
import type { AnswerHandler, AnsweringChannel, ChannelEnd } from '@fairlead/shared/wire/exchange';
import { greetRelay } from '@fairlead/shared/wire/greeting';
import type { Transport } from '@fairlead/shared/wire/transport';
import { pauseAfter } from '../core/reconnect.ts';
import { nextSession, type SessionEvent, type SessionState } from '../core/session-machine.ts';
import type { Identity } from '../identity/identity.ts';

/** What the session tells whoever shows its state. */
export interface SessionReport {
  readonly state: SessionState;
  readonly sessionId: string | null;
  /** Why the line was lost or refused, the last time it was; null once the relay has taken what is shared again. */
  readonly error: FairleadError | null;
  /** Milliseconds until the relay is dialled again. */
  readonly nextTry: number | null;
  /** Instances that the relay would not take, with its code. */
  readonly refused: Advertised['refused'];
}

export interface SessionParts {
  readonly identity: Identity;
  /** Opens the line; a test brings its own. */
  readonly dial: (signal: AbortSignal) => Promise<Transport>;
  readonly answer: AnswerHandler;
  readonly advertisement: () => readonly Descriptor[];
  readonly clock: Clock;
  readonly log: Log;
  readonly report: (report: SessionReport) => void;
  readonly random?: () => number;
}

export interface Session {
  readonly report: SessionReport;
  start(): void;
  /** What is shared has changed: it is advertised anew, whole. */
  changed(): void;
  /** Serves what it has begun, takes nothing new, and closes. Resolves when the line is down. */
  stop(): Promise<void>;
}

/** How long a stop waits for what is under way. Reads may be asked again, and writes carry a key. */
export const DRAIN_MS = 10_000;

const NOTHING: SessionReport = { state: 'idle', sessionId: null, error: null, nextTry: null, refused: [] };

/** Keeps one session with the relay up. What follows what is decided in `core/session-machine`; here are only the line and the timers. */
export const createSession = (parts: SessionParts): Session => {
  const { identity, clock, log } = parts;
  const random = parts.random ?? randomUnit;
  const backoff = createBackoff({ base: LIMITS.reconnect_base.value, cap: LIMITS.reconnect_cap.value, random });
  let report = NOTHING;
  let channel: AnsweringChannel | undefined;
  let welcomedAt: number | undefined;
  let unanswered = 0;
  let cancelRetry: (() => void) | undefined;
  let stopping: Promise<void> | undefined;
  let dialling = new AbortController();
  let ended: () => void = () => undefined;

  const move = (event: SessionEvent, facts: Partial<SessionReport> = {}): boolean => {
    const state = nextSession(report.state, event);
    if (state === undefined) return false;
    report = { ...report, nextTry: null, ...facts, state };
    parts.report(report);
    if (state === 'stopped') ended();
    return true;
  };

  const comeBack = (error: FairleadError, spread?: number) => {
    if (welcomedAt !== undefined && clock.monotonic() - welcomedAt >= LIMITS.session_lived.value) backoff.reset();
    welcomedAt = undefined;
    const delay = pauseAfter({ code: error.code, spread }, backoff.next, random);
    if (!move('lost', { error, sessionId: null, nextTry: delay }) || report.state !== 'waiting') return;
    log.info({ code: error.code, detail: error.message, again_in_ms: delay }, 'the line to the relay is down');
    cancelRetry = clock.after(delay, () => void connect());
  };

  const lineEnded = ({ code, detail, spread }: ChannelEnd) => {
    channel = undefined;
    const error = new FairleadError(code ?? 'relay_not_running', { detail: detail || 'The line to the relay broke' });
    if (error.code === 'session_replaced' && move('replaced', { error, sessionId: null })) {
      log.error('this identity runs elsewhere; this connector stays down until it is started again');
      return;
    }
    comeBack(error, spread);
  };

  const advertise = () => {
    unanswered++;
    channel?.advertise(parts.advertisement());
  };

  const advertised = ({ accepted, refused }: Omit<Advertised, 't'>) => {
    // A relay may also say it unasked, when an instance went to another connector; and an answer to an older set proves nothing of the newest.
    unanswered = Math.max(0, unanswered - 1);
    for (const { instance_id, code } of refused) log.warn({ instance: instance_id, code }, 'the relay did not take an instance');
    log.debug({ accepted: accepted.length }, 'advertised');
    if (unanswered === 0) move('advertised', { refused, error: null });
  };

  const connect = async () => {
    if (!move('dial')) return;
    dialling = new AbortController();
    let transport: Transport | undefined;
    try {
      transport = await parts.dial(dialling.signal);
      if (!move('opened')) return transport.destroy();
      const welcome = await greetRelay(transport, {
        clock,
        connectorId: identity.connector_id,
        key: identity.keys,
        dialledOrigin: identity.origin,
        pinnedRelayKey: identity.relay_key,
      });
      if (!move('welcomed', { sessionId: welcome.session_id })) return transport.destroy();
      transport.trust();
      welcomedAt = clock.monotonic();
      channel = createAnsweringChannel(transport, clock, { handle: parts.answer, onAdvertised: advertised, onEnd: lineEnded });
      unanswered = 0;
      advertise();
    } catch (error) {
      transport?.destroy();
      comeBack(
        error instanceof FairleadError
          ? error
          : new FairleadError('relay_not_running', { detail: 'The relay does not answer', cause: error }),
      );
    }
  };

  const drain = async (): Promise<void> => {
    const end = clock.monotonic() + DRAIN_MS;
    const busy = () => (channel?.pending ?? 0) > 0 && clock.monotonic() < end;
    while (busy()) await clock.sleep(20);
    channel?.close('the connector is shutting down');
    move('drained', { sessionId: null });
  };

  return {
    get report() {
      return report;
    },
    start: () => void connect(),
    changed() {
      if (move('changed')) advertise();
    },
    stop() {
      stopping ??= new Promise<void>((resolve) => {
        ended = resolve;
        cancelRetry?.();
        dialling.abort(new FairleadError('draining'));
        move('stop', { sessionId: null });
        if (report.state === 'draining') void drain();
        else resolve();
      });
      return stopping;
    },
  };
};
