/**
 * The life of the connector's line to its relay, as a table. Whoever does the dialling asks here what comes next and never decides
 * it; the status file shows the word beside each state.
 */
const TABLE = {
  idle: { dial: 'dialling', stop: 'stopped' },
  dialling: { opened: 'proving', lost: 'waiting', stop: 'stopped' },
  // Whoever answers here has proved nothing yet, so that no word of theirs can keep the connector down. And a welcome is not yet service:
  // the relay must have taken the advertised set.
  proving: { welcomed: 'advertising', lost: 'waiting', stop: 'stopped' },
  advertising: { changed: 'advertising', advertised: 'serving', lost: 'waiting', replaced: 'elsewhere', stop: 'draining' },
  serving: { changed: 'advertising', advertised: 'serving', lost: 'waiting', replaced: 'elsewhere', stop: 'draining' },
  waiting: { dial: 'dialling', stop: 'stopped' },
  // Only a person ends this: two machines with one identity would otherwise take the line from each other for ever.
  elsewhere: { stop: 'stopped' },
  draining: { drained: 'stopped', lost: 'stopped', replaced: 'stopped', stop: 'stopped' },
  stopped: {},
} as const;

export type SessionState = keyof typeof TABLE;
export type SessionEvent = 'dial' | 'opened' | 'welcomed' | 'advertised' | 'changed' | 'lost' | 'replaced' | 'stop' | 'drained';

export const SESSION_STATES = Object.keys(TABLE) as SessionState[];
export const SESSION_EVENTS: readonly SessionEvent[] = [
  'dial',
  'opened',
  'welcomed',
  'advertised',
  'changed',
  'lost',
  'replaced',
  'stop',
  'drained',
];

/** The state that follows, or `undefined` where the event means nothing in this state and is to be ignored. */
export const nextSession = (state: SessionState, event: SessionEvent): SessionState | undefined =>
  (TABLE[state] as Partial<Record<SessionEvent, SessionState>>)[event];

/** The words of the status file. `connected`: the relay proved itself; `verified`: it has taken what is shared, and work can arrive. */
export type StatusWord = 'connecting' | 'connected' | 'verified' | 'error' | 'elsewhere' | 'draining' | 'stopped';

export const STATUS_OF: Readonly<Record<SessionState, StatusWord>> = {
  idle: 'connecting',
  dialling: 'connecting',
  proving: 'connecting',
  advertising: 'connected',
  serving: 'verified',
  waiting: 'error',
  elsewhere: 'elsewhere',
  draining: 'draining',
  stopped: 'stopped',
};
