import type { EventType } from '@fairlead/shared/contract/resources';
import type { AttemptState } from '@fairlead/shared/contract/states';
import { machine } from './machine.ts';

/** The executor's outcomes, and `lost`: the daemon died and what the attempt did cannot be known, or was never begun. */
export const ATTEMPT_EVENTS = ['finished', 'refused', 'timed_out', 'cancelled', 'crashed', 'quota', 'lost'] as const;
export type AttemptEvent = (typeof ATTEMPT_EVENTS)[number];

export const attempt = machine<AttemptState, AttemptEvent>('attempt', {
  active: {
    finished: 'finished',
    refused: 'refused',
    timed_out: 'timed_out',
    cancelled: 'cancelled',
    crashed: 'crashed',
    quota: 'quota',
    lost: 'lost',
  },
  finished: {},
  refused: {},
  timed_out: {},
  cancelled: {},
  crashed: {},
  quota: {},
  lost: {},
});

const ended: EventType = 'attempt.ended';
export const ATTEMPT_EVENT_TYPES: Readonly<Record<AttemptEvent, EventType>> = {
  finished: ended,
  refused: ended,
  timed_out: ended,
  cancelled: ended,
  crashed: ended,
  quota: ended,
  lost: ended,
};
