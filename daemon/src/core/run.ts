import type { EventType } from '@fairlead/shared/contract/resources';
import type { RunState } from '@fairlead/shared/contract/states';
import { machine } from './machine.ts';

export const RUN_EVENTS = ['closed', 'cancelled'] as const;
export type RunEvent = (typeof RUN_EVENTS)[number];

/** A closed run may still be cancelled, because its steps may still be under way. */
export const run = machine<RunState, RunEvent>('run', {
  open: { closed: 'closed', cancelled: 'cancelled' },
  closed: { cancelled: 'cancelled' },
  cancelled: {},
});

export const RUN_EVENT_TYPES: Readonly<Record<RunEvent, EventType>> = { closed: 'run.closed', cancelled: 'run.cancelled' };
